"""Watch a campaign that other processes send: counts from the database, at little cost to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from newsletter.delivery.ledger.chunks import LOOK_S, seconds_until_due
from newsletter.delivery.ledger.outcomes import OutcomeCounts, count_outcomes
from newsletter.delivery.ledger.sending_lock import is_sending
from newsletter.errors import UnavailableError
from newsletter.store.engine import Store

Progress = Callable[[OutcomeCounts], None]

SHARE = 0.1
"""Share of the time that is spent on counting at most: large campaigns take a while to count."""


@asynccontextmanager
async def following(
    store: Store, campaign_id: int, progress: Progress | None
) -> AsyncIterator[None]:
    """Report the counts of a campaign regularly for as long as the context is open."""

    def count() -> OutcomeCounts:
        with store.read() as connection:
            return count_outcomes(connection, campaign_id)

    async def follow(tell: Progress) -> None:
        rest = LOOK_S
        while True:
            # Before the first count: a small campaign is over by then and needs none.
            await asyncio.sleep(rest)
            began = time.monotonic()
            with suppress(UnavailableError):
                tell(await asyncio.to_thread(count))
            rest = max(LOOK_S, (time.monotonic() - began) / SHARE)

    task = asyncio.create_task(follow(progress)) if progress else None
    try:
        yield
    finally:
        if task:
            task.cancel()


async def outlast(store: Store, campaign_id: int, patience: float, stop: asyncio.Event) -> bool:
    """Wait while another process sends from this SQLite database.

    Args:
        patience: Wait only if the next delivery is due within this number of seconds.

    Returns:
        Whether that process ended and deliveries are left.
    """
    while is_sending(store.engine):
        wait = await asyncio.to_thread(seconds_until_due, store, campaign_id)
        if stop.is_set() or wait is None or wait > patience:
            return False
        await asyncio.sleep(LOOK_S)
    return True
