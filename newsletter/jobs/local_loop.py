"""A loop in the process: for SQLite, and for PostgreSQL without anything else installed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from sqlalchemy import Connection

from newsletter.jobs.dispatcher import Work

LOOK_S = 0.05


class LocalDispatcher:
    """Keeps numbers of chunks in memory; implements `newsletter.jobs.dispatcher.Dispatcher`.

    What it forgets at the end of the process, or takes though the transaction was rolled back, is
    put right by the ledger: the next sweep enqueues again, and a claim decides.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, None] = {}

    def enqueue(self, connection: Connection, chunk_ids: Iterable[int]) -> None:
        """Have chunks run soon, by this process."""
        self._waiting.update(dict.fromkeys(chunk_ids))

    async def run(self, work: Work, *, concurrency: int, stop: asyncio.Event) -> None:
        """Run chunks until ``stop`` is set."""
        await asyncio.gather(*(self._take(work, stop) for _ in range(concurrency)))

    async def _take(self, work: Work, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if self._waiting:
                chunk_id = next(iter(self._waiting))
                del self._waiting[chunk_id]
                await work(chunk_id)
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), LOOK_S)
