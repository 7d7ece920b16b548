"""Which dispatcher a worker gets, and the tables it needs."""

from __future__ import annotations

from importlib.util import find_spec

from newsletter.jobs.dispatcher import Dispatcher
from newsletter.store.engine import Store


def open_dispatcher(store: Store, transport: str) -> Dispatcher:
    """Procrastinate on PostgreSQL where it is installed, else a loop in this process.

    Workers of both kinds can serve one database side by side.

    Args:
        transport: Workers take chunks only of campaigns that go by their transport.
    """
    if store.is_sqlite or find_spec("procrastinate") is None:
        from newsletter.jobs.local_loop import LocalDispatcher

        return LocalDispatcher()
    from newsletter.jobs.procrastinate_queue import JobDispatcher

    return JobDispatcher(store, transport)


def prepare(store: Store) -> None:
    """Make the engine's tables, or make them anew when it comes with others. Nothing on SQLite.

    Raises:
        RefusedError: The database's user may not make a schema.
        UnavailableError: The database cannot be reached.
    """
    if not store.is_sqlite and find_spec("procrastinate") is not None:
        from newsletter.jobs.procrastinate_tables import prepare_tables

        prepare_tables(store)
