"""What goes into a send and comes out of it: the request, who is asked and told, and the result."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from newsletter.audience.model import ImportReport
from newsletter.campaign.build import BuiltIssue
from newsletter.campaign.launch import PendingCampaign
from newsletter.campaign.progress import Progress
from newsletter.campaign.status import Status


@dataclass(frozen=True, slots=True)
class SendRequest:
    """What to send, to which recipients, and when.

    ``csv_file`` is imported into ``list_name`` first, and only its rows are the recipients; with
    ``skip_invalid`` its bad rows are left out. ``uses`` says what its columns are,
    ``NAME=USE`` each. ``segment`` narrows the list to a part of it. ``again_reason`` is why
    people who already have the issue get it again; empty skips them. ``not_before`` is when to
    begin (Unix seconds); 0: at once. ``detach`` leaves the sending to a worker.
    """

    issue: Path
    list_name: str
    csv_file: Path | None = None
    uses: tuple[str, ...] = ()
    segment: str | None = None
    skip_invalid: bool = False
    again_reason: str = ""
    not_before: float = 0.0
    detach: bool = False


Confirm = Callable[[PendingCampaign], int | None]
"""Shows a person what is about to be sent; gives the number of recipients that they confirm."""


class SendListener:
    """Told what a send is doing. It shows nothing: override what you want to show."""

    def importing(self, file: Path) -> AbstractContextManager[Callable[[int], None] | None]:
        """A CSV file is being read; gives what is called with the number of rows so far."""
        return nullcontext()

    def imported(self, report: ImportReport) -> None:
        """The CSV file was imported."""

    def joined_since(self, pending: PendingCampaign, number: int) -> None:
        """This number of subscribers joined after a continued campaign's audience was fixed."""

    def continuing(self, pending: PendingCampaign) -> None:
        """An earlier campaign goes on; nobody is asked again."""

    def waiting(self, campaign_id: int, seconds: float) -> None:
        """The campaign begins in this number of seconds; told about twice a second."""

    def interrupted(self, campaign_id: int, *, called_off: bool) -> None:
        """Ctrl-C while it waited: the campaign is paused now, or else keeps its time."""

    def sending(self) -> AbstractContextManager[Progress | None]:
        """Messages go out; gives what is called about twice a second with the counts so far."""
        return nullcontext()


class SendEnd(StrEnum):
    """How a live send ended."""

    ALREADY_SENT = "already sent"
    """The same issue went out to the same recipients before: nothing was left to send."""
    DETACHED = "detached"
    """A worker sends it, at its time."""
    SENT = "sent"
    """Nothing more is due, or somebody stopped it: the counts say how far it is."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """What a live send did."""

    end: SendEnd
    status: Status


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """What a live send would do, and the folder that the messages were written to.

    Where ``pending`` is a campaign that is being sent, nothing was written, and ``status`` is how
    far that campaign is.
    """

    status: Status
    pending: PendingCampaign
    built: BuiltIssue
    folder: Path
