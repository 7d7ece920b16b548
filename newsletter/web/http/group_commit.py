"""Many small writes in few transactions: requests that arrive during one commit share the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

from newsletter.errors import UnavailableError

Item = TypeVar("Item")
Result = TypeVar("Result")

LARGEST = 250
"""Committed in about 20 ms, so that other writers do not wait long."""
MOST_WAITING = 10_000


class GroupCommit(Generic[Item, Result]):
    """Commits items in groups; each caller gets the result of its own item.

    A group starts as soon as none is running, so a single request never waits.

    Args:
        act: Commits a group and returns the results in its order. Runs in a thread, one at a time.
            A group that the database refuses is tried once more, because PostgreSQL ends one of
            two transactions in a deadlock. The second error is raised to every caller.
    """

    def __init__(self, act: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        self._act = act
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def do(self, item: Item) -> Result:
        """Commit one item, and return its result.

        Raises:
            UnavailableError: Too many requests are waiting already.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise UnavailableError("too many requests are waiting for the database")
        mine: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, mine))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._commit_groups())
        return await mine

    async def _commit_groups(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
            try:
                results = await run_in_threadpool(self._commit, [item for item, _ in group])
            except Exception as error:  # whatever it is, the callers must get it
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), result in zip(group, results, strict=True):
                    if not future.done():
                        future.set_result(result)

    def _commit(self, items: Sequence[Item]) -> Sequence[Result]:
        try:
            return self._act(items)
        except UnavailableError:
            return self._act(items)
