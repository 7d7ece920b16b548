"""What waits, and for what: the countdown before a send, and the lines below a status."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from newsletter.cli.context import say

if TYPE_CHECKING:
    from newsletter.campaign.context import AppContext
    from newsletter.campaign.launch import PendingCampaign
    from newsletter.campaign.status import Status


class Countdown:
    """Says how long a campaign still waits: every second on a terminal, else once."""

    def __init__(self, campaign_id: int) -> None:
        self._campaign_id = campaign_id
        self._told = False

    def __call__(self, left: float) -> None:
        """Tell of so many seconds left."""
        if self._told and not sys.stderr.isatty():
            return
        if not self._told:
            say(f"Until then, `send.py cancel {self._campaign_id}` costs nothing.")
            self._told = True
        sys.stderr.write(f"\rCampaign {self._campaign_id} begins in {duration(left)}.   ")
        sys.stderr.write("" if sys.stderr.isatty() and left > 1 else "\n")
        sys.stderr.flush()


def duration(seconds: float) -> str:
    """Days, hours, minutes and seconds; no more than two of them."""
    whole = int(seconds) + 1
    parts = [whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60]
    named = [f"{number} {unit}" for number, unit in zip(parts, ("d", "h", "min", "s"), strict=True)]
    first = next((index for index, number in enumerate(parts) if number), 3)
    return " ".join(named[first : first + 2])


@contextmanager
def called_off(app: AppContext, opened: PendingCampaign, not_before: float) -> Iterator[None]:
    """Ctrl-C while a campaign waits: one with a time stays scheduled, in the undo window it pauses.

    Args:
        not_before: The time that was asked for; 0 for none.
    """
    try:
        yield
    except KeyboardInterrupt:
        _call_off(app, opened.status.campaign_id, undo=not (not_before or opened.continuing))
        raise


def _call_off(app: AppContext, campaign_id: int, *, undo: bool) -> None:
    from newsletter.campaign.status import status
    from newsletter.delivery.ledger.states import CampaignState, transition

    with app.store.write() as connection:
        if status(connection, campaign_id).state != CampaignState.SCHEDULED:
            return
        if undo:
            now = app.store.now(connection)
            paused = CampaignState.PAUSED
            transition(connection, campaign_id, paused, by=app.by, now=now, note="called off")
    if undo:
        say(f"\nCalled off in time: campaign {campaign_id} is paused, and nobody was mailed.")
        say(
            f"`send.py resume {campaign_id}` lets it go on, `send.py cancel {campaign_id}` ends it."
        )
    else:
        say(f"\nCampaign {campaign_id} stays scheduled: a worker, or this command again, sends it.")


def show_what_waits(result: Status) -> None:
    """Why a campaign does not go on by itself, or when it does."""
    from newsletter.campaign.schedule import shown

    number = result.campaign_id
    if result.not_before is not None:
        say(f"It begins on {shown(result.not_before)}.")
    if result.held:
        say(f"It was put on hold: {result.note}.")
        say(f"When that is mended: `send.py resume {number}`, then its `send --live` again.")
    if result.next_retry is not None and result.state == "sending":
        due = "now" if result.next_retry <= time.time() else f"on {shown(result.next_retry)}"
        say(f"The next retry is due {due}: a worker, or the same `send --live` again, does it.")
    if result.note and result.state == "finished":
        say(f"Look at this: {result.note}.")
    if result.tally.uncertain:
        say(f"Who is uncertain, and what is known: `send.py uncertain {number}`.")
    if result.tally.failed:
        say(f"Who failed, and why: `send.py report {number} --csv`.")
