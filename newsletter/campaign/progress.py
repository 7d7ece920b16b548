"""Looking on while others send: counts from the database, at no great cost to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from newsletter.delivery.ledger.chunks import LOOK_S, seconds_until_due
from newsletter.delivery.ledger.outcomes import OutcomeCounts, count_outcomes
from newsletter.errors import UnavailableError
from newsletter.store.engine import Store

Progress = Callable[[OutcomeCounts], None]

SHARE = 0.1
"""Of the time at most is spent on counting: with many readers it takes a while."""


async def follow(store: Store, campaign_id: int, progress: Progress) -> None:
    """Tell the counts of a campaign now and then, until cancelled."""
    while True:
        began = time.monotonic()
        with suppress(UnavailableError):
            progress(await asyncio.to_thread(count, store, campaign_id))
        await asyncio.sleep(max(LOOK_S, (time.monotonic() - began) / SHARE))


async def is_under_way(store: Store, campaign_id: int, patience: float) -> bool:
    """Whether a campaign that another process sends has anything left that is due before long.

    Args:
        patience: Seconds that are not long.
    """
    wait = await asyncio.to_thread(seconds_until_due, store, campaign_id)
    return wait is not None and wait <= patience


def count(store: Store, campaign_id: int) -> OutcomeCounts:
    """The counts as they are now."""
    with store.read() as connection:
        return count_outcomes(connection, campaign_id)
