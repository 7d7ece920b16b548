"""What a person sees of a campaign: its counts, and what it waits for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import say

if TYPE_CHECKING:
    from newsletter.campaign.status import Status


def show_status(result: Status) -> None:
    """A campaign's counts, which add up to the audience; below them, what it waits for."""
    counts = result.tally
    to = f"{result.slug} to {result.audience}"
    title = f"Campaign {result.campaign_id}: {to} ({result.state})"
    click.echo(f"Dry run: {to}" if result.dry_run else title)
    if result.segment:
        click.echo(f"  only where {result.segment}")
    reached = "would get it" if result.dry_run else "accepted"
    rows = {
        reached: counts.accepted,
        "deferred": counts.deferred,
        "failed": counts.failed,
        "uncertain": counts.uncertain,
        "queued": counts.queued,
        **{f"skipped, {reason}": n for reason, n in sorted(counts.skipped.items())},
    }
    width = max(len(name) for name in rows)
    for name, amount in rows.items():
        if amount or name == reached:
            click.echo(f"  {name:<{width}}  {amount:>9,}")
    click.echo(f"  {'audience':<{width}}  {counts.audience:>9,}")
    # A dry run has no number by which anything could be done about it.
    if not result.dry_run:
        show_what_waits(result)


def show_what_waits(result: Status) -> None:
    """Why a campaign does not go on by itself, or when it does."""
    from newsletter.campaign.schedule import shown
    from newsletter.delivery.ledger.states import CampaignState

    number = result.campaign_id
    if result.not_before is not None:
        say(f"It begins on {shown(result.not_before)}.")
    if result.held:
        say(f"It was put on hold: {result.note}.")
        say(f"When that is mended: `./send.py resume {number}`, then its `send --live` again.")
    if result.next_retry is not None and result.state == CampaignState.SENDING:
        due = "now" if result.next_retry <= time.time() else f"on {shown(result.next_retry)}"
        say(f"The next retry is due {due}: a worker, or the same `send --live` again, does it.")
    if result.note and result.state == CampaignState.FINISHED:
        say(f"Look at this: {result.note}.")
    if result.tally.uncertain:
        say(f"Who is uncertain, and what is known: `./send.py uncertain {number}`.")
    if result.tally.failed:
        say(f"Who failed, and why: `./send.py report {number} --csv`.")
