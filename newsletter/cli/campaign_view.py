"""What a person sees of a campaign: whom it is for, and how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from newsletter.cli.desk import say
from newsletter.cli.schedule import show_what_waits

if TYPE_CHECKING:
    from newsletter.audience import ImportReport
    from newsletter.campaign.opening import Opened
    from newsletter.campaign.status import Status


def show_plan(opened: Opened, where_to: str) -> None:
    """Who is about to get what."""
    counts = opened.status.tally
    say(f"{opened.compiled.title}  (digest {opened.compiled.digest[:12]})")
    people = "person" if counts.audience == 1 else "people"
    say(f"  to the list {opened.status.audience}: {counts.audience:,} {people}")
    if opened.status.segment:
        say(f"  of it only where {opened.status.segment}")
    for reason, number in sorted(counts.skipped.items()):
        say(f"  skipped, {reason}: {number:,}")
    say(f"  will get it: {opened.mailable:,}, {where_to}")


def show_status(result: Status) -> None:
    """A campaign's counts: they add up to the audience."""
    counts = result.tally
    click.echo(
        f"Campaign {result.campaign_id}: {result.slug} to {result.audience} ({result.state})"
    )
    if result.segment:
        click.echo(f"  only where {result.segment}")
    rows = {
        "accepted": counts.accepted,
        "deferred": counts.deferred,
        "failed": counts.failed,
        "uncertain": counts.uncertain,
        "queued": counts.queued,
        **{f"skipped, {reason}": n for reason, n in sorted(counts.skipped.items())},
    }
    width = max(len(name) for name in rows)
    for name, number in rows.items():
        if number or name == "accepted":
            click.echo(f"  {name:<{width}}  {number:>9,}")
    click.echo(f"  {'audience':<{width}}  {counts.audience:>9,}")
    show_what_waits(result)


def show_import(report: ImportReport) -> None:
    """What an import did, in a line or two."""
    say(report.summary())
