"""A loop in this process: for SQLite, and for PostgreSQL without Procrastinate."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from sqlalchemy import Connection

from newsletter.jobs.dispatcher import Work

POLL_S = 0.05


class LocalDispatcher:
    """Keeps chunk numbers in memory; implements `newsletter.jobs.dispatcher.Dispatcher`.

    It loses them when the process ends, and keeps them when the transaction is rolled back. The
    ledger makes up for both: the next sweep enqueues again, and only a claimed chunk runs.
    """

    def __init__(self) -> None:
        # A dict for its order: first in, first out, each once.
        self._waiting: dict[int, None] = {}

    def enqueue(self, connection: Connection, chunk_ids: Iterable[int]) -> None:
        """Have this process run chunks soon."""
        self._waiting.update(dict.fromkeys(chunk_ids))

    async def run(self, work: Work, *, concurrency: int, stop: asyncio.Event) -> None:
        """Run chunks until ``stop`` is set."""

        async def take_chunks() -> None:
            while not stop.is_set():
                if self._waiting:
                    chunk_id = next(iter(self._waiting))
                    del self._waiting[chunk_id]
                    await work(chunk_id)
                else:
                    # Polled, since `enqueue` runs in another thread, which no asyncio event allows.
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), POLL_S)

        await asyncio.gather(*(take_chunks() for _ in range(concurrency)))
