"""What a person sees of a campaign: whom it is for, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import say
from newsletter.cli.counted import counted
from newsletter.cli.schedule import show_what_waits

if TYPE_CHECKING:
    from newsletter.audience.model import ImportReport
    from newsletter.campaign.launch import PendingCampaign
    from newsletter.campaign.status import Status
    from newsletter.render.model import CompiledIssue


def show_plan(opened: PendingCampaign, where_to: str, variants: Mapping[int, int]) -> None:
    """Who is about to get what; ``variants`` as `show_variants` takes them."""
    counts, compiled = opened.status.tally, opened.compiled
    sender = compiled.sender
    say(f"{compiled.title}  (digest {compiled.digest[:12]})")
    say(f"  subject: {_sample_subject(compiled)}")
    say(f"  from: {sender.from_name} <{sender.from_address}>, dated {compiled.date}")
    say(f"  to the list {opened.status.audience}: {counted(counts.audience, 'person', 'people')}")
    if opened.status.segment:
        say(f"  of it only where {opened.status.segment}")
    for reason, number in sorted(counts.skipped.items()):
        say(f"  skipped, {reason}: {number:,}")
    say(f"  will get it: {opened.mailable:,}, {where_to}")
    show_variants(compiled, variants)


def show_variants(compiled: CompiledIssue, variants: Mapping[int, int]) -> None:
    """How many get which text, where there is more than one.

    Args:
        variants: How many by index, as `newsletter.campaign.snapshot.by_variant` counts them.
    """
    if len(compiled.variants) == 1:
        return
    for index, variant in enumerate(compiled.variants):
        text = f"with the blocks for {', '.join(sorted(variant.topics))}"
        text = text if variant.topics else "without any block for a topic"
        say(f"    {text}: {variants.get(index, 0):,}")


def _sample_subject(compiled: CompiledIssue) -> str:
    """The subject with each merge field's name where its value will stand."""
    subject = compiled.variants[0].subject
    rest = zip(subject.slots, subject.segments[1:], strict=True)
    return subject.segments[0] + "".join(f"[{slot.name}]{after}" for slot, after in rest)


def show_status(result: Status) -> None:
    """A campaign's counts: they add up to the audience."""
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
    if not result.dry_run:
        show_what_waits(result)


def show_import(report: ImportReport) -> None:
    """What an import did, line by line."""
    for told in (report.summary(), *report.notes()):
        say(told)
