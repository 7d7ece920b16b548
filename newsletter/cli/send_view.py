"""How a send is shown: the plan before it, the wait, the progress."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.campaign.request import SendListener
from newsletter.cli.output import counted, say
from newsletter.cli.progress import import_bar, sending_bar

if TYPE_CHECKING:
    from collections.abc import Callable

    from newsletter.audience.model import ImportReport
    from newsletter.campaign.launch import PendingCampaign
    from newsletter.campaign.progress import Progress
    from newsletter.render.model import CompiledIssue


class SendView(SendListener):
    """Shows a send on standard error, line by line, and with bars on a terminal."""

    def __init__(self) -> None:
        self._waits = False

    def importing(self, file: Path) -> AbstractContextManager[Callable[[int], None] | None]:
        """A bar over the rows."""
        return import_bar(file)

    def imported(self, report: ImportReport) -> None:
        """The results of the import, line by line."""
        for told in (report.summary(), *report.notes()):
            say(told)

    def joined_since(self, pending: PendingCampaign, number: int) -> None:
        """Who is not in a continued campaign, and how to reach them."""
        if number:
            where = f"on the list {pending.status.audience}"
            where += " and in the segment" if pending.status.segment else ""
            say(
                f"{counted(number, 'subscriber')} {where} joined after this campaign's snapshot "
                "and will not receive it: to reach them, import them into a separate list"
            )

    def continuing(self, pending: PendingCampaign) -> None:
        """Which campaign is continued."""
        say(f"Continuing campaign {pending.status.campaign_id}.")

    def waiting(self, campaign_id: int, seconds: float) -> None:
        """A countdown: every second on a terminal, else one line."""
        terminal = sys.stderr.isatty()
        if self._waits and not terminal:
            return
        if not self._waits:
            say(f"Until then nothing is sent: `./send.py cancel {campaign_id}` cancels it.")
            self._waits = True
        # A terminal overwrites the line, so that the plan above stays visible.
        sys.stderr.write(f"\rCampaign {campaign_id} starts in {duration(seconds)}.   ")
        sys.stderr.write("" if terminal and seconds > 1 else "\n")
        sys.stderr.flush()

    def interrupted(self, campaign_id: int, *, called_off: bool) -> None:
        """What Ctrl-C did to the campaign."""
        if called_off:
            say(f"\nStopped in time: campaign {campaign_id} is paused, and nobody was mailed.")
            say(
                f"Continue with `./send.py resume {campaign_id}`, "
                f"or end it with `./send.py cancel {campaign_id}`."
            )
        else:
            say(
                f"\nCampaign {campaign_id} stays scheduled: "
                "start a worker or run this command again to send it."
            )

    def sending(self) -> AbstractContextManager[Progress]:
        """A bar over the deliveries."""
        return sending_bar()


def duration(seconds: float) -> str:
    """Days, hours, minutes and seconds; at most two of them."""
    whole = int(seconds) + 1
    parts = [whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60]
    named = [f"{number} {unit}" for number, unit in zip(parts, ("d", "h", "min", "s"), strict=True)]
    first = next((index for index, number in enumerate(parts) if number), 3)
    return " ".join(named[first : first + 2])


def show_plan(pending: PendingCampaign, where_to: str) -> None:
    """Print who is about to receive what, for the person who confirms it.

    Args:
        where_to: Where the mail goes, as the transport describes it.
    """
    counts, compiled = pending.status.tally, pending.compiled
    sender, subject = compiled.sender, compiled.variants[0].subject
    # Each merge field's name where its value will be.
    rest = zip(subject.slots, subject.segments[1:], strict=True)
    sample = subject.segments[0] + "".join(f"[{slot.name}]{after}" for slot, after in rest)
    say(f"{compiled.title}  (digest {compiled.digest[:12]})")
    say(f"  subject: {sample}")
    say(f"  from: {sender.from_name} <{sender.from_address}>, dated {compiled.date}")
    say(f"  to the list {pending.status.audience}: {counted(counts.audience, 'person', 'people')}")
    if pending.status.segment:
        say(f"  only where {pending.status.segment}")
    for reason, number in sorted(counts.skipped.items()):
        say(f"  skipped, {reason}: {number:,}")
    say(f"  will receive it: {pending.mailable:,}, {where_to}")
    show_variants(compiled, pending.variants)


def show_variants(compiled: CompiledIssue, variants: Mapping[int, int]) -> None:
    """Print how many receive which text, if there is more than one.

    Args:
        variants: The number of recipients by index, as `PendingCampaign.variants`.
    """
    if len(compiled.variants) == 1:
        return
    for index, variant in enumerate(compiled.variants):
        text = f"with the blocks for {', '.join(sorted(variant.topics))}"
        text = text if variant.topics else "without topic blocks"
        say(f"    {text}: {variants.get(index, 0):,}")
