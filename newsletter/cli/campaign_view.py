"""How a campaign is shown: its counts, and what it is waiting for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import say

if TYPE_CHECKING:
    from newsletter.campaign.status import Status


def show_status(result: Status) -> None:
    """Print a campaign's counts, which add up to the audience, and what it is waiting for."""
    counts = result.tally
    to = f"{result.slug} to {result.audience}"
    title = f"Campaign {result.campaign_id}: {to} ({result.state})"
    click.echo(f"Dry run: {to}" if result.dry_run else title)
    if result.segment:
        click.echo(f"  only where {result.segment}")
    reached = "would receive it" if result.dry_run else "accepted"
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
    # The campaign of a dry run exists only in a copy of the database that is gone by now.
    if not result.dry_run:
        show_what_waits(result)


def show_what_waits(result: Status) -> None:
    """Print why a campaign does not continue by itself, or when it will."""
    from newsletter.campaign.schedule import shown
    from newsletter.delivery.ledger.states import CampaignState

    number = result.campaign_id
    if result.not_before is not None:
        say(f"It starts on {shown(result.not_before)}.")
    if result.held:
        say(f"It paused by itself: {result.note}.")
        say(f"Fix the cause, run `./send.py resume {number}`, then its `send --live` again.")
    if result.next_retry is not None and result.state == CampaignState.SENDING:
        due = "now" if result.next_retry <= time.time() else f"on {shown(result.next_retry)}"
        say(f"The next retry is due {due}: start a worker or run the same `send --live` again.")
    if result.note and result.state == CampaignState.FINISHED:
        say(f"Needs attention: {result.note}.")
    if result.tally.uncertain:
        say(f"List uncertain deliveries: `./send.py uncertain {number}`.")
    if result.tally.failed:
        say(f"List failed deliveries and why they failed: `./send.py report {number} --csv`.")
