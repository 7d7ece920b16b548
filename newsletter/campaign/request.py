"""The input and output of a send: the request, the callbacks and the result."""

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
    ``skip_invalid`` its invalid rows are left out. ``uses`` says what its columns hold,
    ``NAME=USE`` each. ``segment`` narrows the list to part of it. ``again_reason`` is why people
    who already received the issue receive it again; empty skips them. ``not_before`` is when to
    start (Unix seconds); 0: at once. ``detach`` leaves the sending to a worker.
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
"""Shows a person what is about to be sent; returns the number of recipients they confirm."""


class SendListener:
    """Notified of what a send is doing. Does nothing by default: override what you need."""

    def importing(self, file: Path) -> AbstractContextManager[Callable[[int], None] | None]:
        """A CSV file is being read; returns a callback for the number of rows so far."""
        return nullcontext()

    def imported(self, report: ImportReport) -> None:
        """The CSV file was imported."""

    def joined_since(self, pending: PendingCampaign, number: int) -> None:
        """This number of subscribers joined after a continued campaign's snapshot."""

    def continuing(self, pending: PendingCampaign) -> None:
        """An earlier campaign is continued, without asking for confirmation again."""

    def waiting(self, campaign_id: int, seconds: float) -> None:
        """The campaign starts in this number of seconds; called about twice a second."""

    def interrupted(self, campaign_id: int, *, called_off: bool) -> None:
        """Ctrl-C while waiting: the campaign is paused now (``called_off``) or keeps its time."""

    def sending(self) -> AbstractContextManager[Progress | None]:
        """Messages are sent; returns a callback for the counts, about twice a second."""
        return nullcontext()


class SendEnd(StrEnum):
    """How a live send ended."""

    ALREADY_SENT = "already sent"
    """The same issue was sent to the same recipients before: nothing was left to send."""
    DETACHED = "detached"
    """A worker will send it, at its time."""
    SENT = "sent"
    """Nothing more is due, or it was stopped: see the counts."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """The result of a live send."""

    end: SendEnd
    status: Status


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """What a live send would do, and the folder with its messages.

    If ``pending`` is a campaign to continue, nothing was written, and ``status`` is its status.
    """

    status: Status
    pending: PendingCampaign
    built: BuiltIssue
    folder: Path
