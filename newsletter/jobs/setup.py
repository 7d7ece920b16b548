"""Chooses the dispatcher for a worker, and prepares its tables."""

from __future__ import annotations

from importlib.util import find_spec

from newsletter.jobs.dispatcher import Dispatcher
from newsletter.store.engine import Store


def open_dispatcher(store: Store, transport: str) -> Dispatcher:
    """Return Procrastinate on PostgreSQL if it is installed, else a loop in this process.

    Workers of both kinds can serve one database side by side.

    Args:
        transport: Workers take only chunks of campaigns that use their transport.
    """
    # Imported here: neither Procrastinate nor psycopg need be installed.
    if store.is_sqlite or find_spec("procrastinate") is None:
        from newsletter.jobs.local_loop import LocalDispatcher

        return LocalDispatcher()
    from newsletter.jobs.procrastinate_queue import JobDispatcher

    return JobDispatcher(store, transport)


def prepare(store: Store) -> None:
    """Create the queue's tables, or recreate them for another release of Procrastinate.

    Does nothing on SQLite.

    Raises:
        RefusedError: The database user may not create a schema.
        UnavailableError: The database cannot be reached.
    """
    if not store.is_sqlite and find_spec("procrastinate") is not None:
        from newsletter.jobs.procrastinate_tables import prepare_tables

        prepare_tables(store)
