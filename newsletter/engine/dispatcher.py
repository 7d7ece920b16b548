"""The seam between a worker and whatever hands out its chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from importlib.util import find_spec
from typing import Protocol

from sqlalchemy import Connection

from newsletter.store import Store

Work = Callable[[int], Awaitable[None]]
"""Runs the chunk of this number, if the ledger grants it. It handles its own errors."""


class Dispatcher(Protocol):
    """Hands chunks to workers."""

    def enqueue(self, connection: Connection, chunk_ids: Iterable[int]) -> None:
        """Have chunks run soon, by whichever worker is free.

        What waits already is not added again.

        Args:
            connection: A write transaction: if it is rolled back, nothing is enqueued.

        Raises:
            UnavailableError: The engine's tables are not there.
        """
        ...

    async def run(self, work: Work, *, concurrency: int, stop: asyncio.Event) -> None:
        """Run chunks until ``stop`` is set; what runs by then is finished.

        When the engine is out of reach it is tried again, for as long as it takes.

        Args:
            concurrency: Chunks at once, at most.
        """
        ...


def open_dispatcher(store: Store, transport: str) -> Dispatcher:
    """Procrastinate on PostgreSQL where it is installed, else a loop in this process.

    Workers of both kinds can serve one database side by side.

    Args:
        transport: Workers take chunks only of campaigns that go by their transport.
    """
    if store.is_sqlite or find_spec("procrastinate") is None:
        from newsletter.engine.local import LocalDispatcher

        return LocalDispatcher()
    from newsletter.engine.jobs import JobDispatcher

    return JobDispatcher(store, transport)


def prepare(store: Store) -> None:
    """Make the engine's tables, or make them anew when it comes with others. Nothing on SQLite.

    Raises:
        RefusedError: The database's user may not make a schema.
        UnavailableError: The database cannot be reached.
    """
    if not store.is_sqlite and find_spec("procrastinate") is not None:
        from newsletter.engine.tables import prepare_tables

        prepare_tables(store)
