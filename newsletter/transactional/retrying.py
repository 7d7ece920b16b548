"""Letters that a relay did not take for now are tried again, off the path of any request.

Greylisting and a busy relay say 4xx to the first try; the page has said by then that the letter is
on its way. What waits is in this process only: when it stops, the reader may ask again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool

from newsletter.errors import NewsletterError, UnavailableError

log = logging.getLogger("newsletter.web")

WAITS_S = (5.0, 30.0, 120.0, 900.0)
"""Before each further try, about: servers that greylist take the letter after 1 to 15 minutes."""
MOST = 1000
"""Letters under way; past them each is tried once."""
STOP_S = 5.0

Attempt = Callable[[], Awaitable[None]]
"""Raises UnavailableError where nothing was taken, and another try may help."""


class Retries:
    """The letters under way in this process."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, attempt: Attempt, lost: Callable[[], None]) -> None:
        """Try to send a letter; returns after the first try, however it ended.

        Args:
            attempt: Sends it.
            lost: Called in a thread when it was not sent and will not be tried again.
        """
        tried = asyncio.Event()
        task = asyncio.create_task(self._carry(attempt, lost, tried))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await tried.wait()

    async def close(self) -> None:
        """Give up what waits; a try under way gets a few seconds to end."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_S)

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Closes with the application."""
        yield
        await self.close()

    async def _carry(
        self, attempt: Attempt, lost: Callable[[], None], tried: asyncio.Event
    ) -> None:
        try:
            await self._try_all(attempt, tried)
        except NewsletterError as error:
            log.error("a letter could not be sent: %s", error.message)
            await _note(lost)
        except asyncio.CancelledError:
            log.warning("a letter was given up: the server stops")
            await _note(lost)
            raise
        finally:
            tried.set()

    async def _try_all(self, attempt: Attempt, tried: asyncio.Event) -> None:
        waits = WAITS_S if len(self._tasks) <= MOST else ()
        for wait in waits:
            try:
                await attempt()
            except UnavailableError as error:
                log.warning("a letter will be tried again: %s", error.message)
            else:
                return
            tried.set()
            await asyncio.sleep(wait * random.uniform(0.9, 1.1))  # noqa: S311
        await attempt()


async def _note(lost: Callable[[], None]) -> None:
    try:
        await run_in_threadpool(lost)
    except NewsletterError as error:
        log.error("a lost letter could not be noted: %s", error.message)
