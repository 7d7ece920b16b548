"""Many small writes in few transactions: what arrives during one commit shares the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

from newsletter.errors import UnavailableError

Item = TypeVar("Item")
Result = TypeVar("Result")

LARGEST = 250
"""Written in some 20 ms: nobody else who writes waits for long."""
MOST_WAITING = 10_000


class GroupCommit(Generic[Item, Result]):
    """Does things in groups, each caller getting its own result.

    A group begins as soon as nothing is under way, so whoever comes alone waits for nobody.

    Args:
        act: Commits a group and gives the results in its order. Runs in a thread, one at a time.
            A group that the database refuses is tried once more, since of two transactions that
            wait for each other PostgreSQL ends one. What is raised then, everybody is told.
    """

    def __init__(self, act: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        self._act = act
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def do(self, item: Item) -> Result:
        """Give one item's result, after the commit.

        Raises:
            UnavailableError: So many wait already that waiting makes no sense.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise UnavailableError("too many requests wait for the database")
        mine: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, mine))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await mine

    async def _work(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
            try:
                results = await run_in_threadpool(self._try, [item for item, _ in group])
            except Exception as error:  # whatever it is, it belongs to those who wait
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), result in zip(group, results, strict=True):
                    if not future.done():
                        future.set_result(result)

    def _try(self, items: Sequence[Item]) -> Sequence[Result]:
        try:
            return self._act(items)
        except UnavailableError:
            return self._act(items)
