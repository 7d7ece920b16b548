"""The interface between a worker and whatever hands it chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from sqlalchemy import Connection

Work = Callable[[int], Awaitable[None]]
"""Runs the chunk with this number if the ledger grants it; handles its own errors."""


class Dispatcher(Protocol):
    """Hands chunks to workers.

    It may hand out a chunk twice, or forget one: the ledger decides who may run it, and enqueues
    again what is still due.
    """

    def enqueue(self, connection: Connection, chunk_ids: Iterable[int]) -> None:
        """Have any free worker run these chunks soon. Chunks already waiting are not added again.

        Args:
            connection: A write transaction. If it is rolled back, nothing is enqueued.

        Raises:
            UnavailableError: The queue's tables do not exist.
        """
        ...

    async def run(self, work: Work, *, concurrency: int, stop: asyncio.Event) -> None:
        """Run chunks until ``stop`` is set, then finish those that are running.

        If the queue is unavailable, keep trying.

        Args:
            concurrency: How many chunks may run at once.
        """
        ...
