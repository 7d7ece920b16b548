"""The seam between a worker and whatever hands out its chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from sqlalchemy import Connection

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
