"""What a report means for its recipient. Pure: the database and the clock stay outside.

The score is a sum that decays: each day with a soft bounce adds 1, and what was added halves every
90 days. A subscriber to a daily or weekly newsletter is suppressed at the fifth soft bounce in a
row, one to a monthly newsletter at the eighth; a week of vacation with a full mailbox has no
lasting effect. The idea is Mailman's bounce score, which also counts one failure a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from newsletter.feedback.model import FeedbackKind
from newsletter.smtp_replies.classify import ReplyClass

DAY = 86_400.0
HALF_LIFE = 90 * DAY
THRESHOLD = 4.0


class Consequence(StrEnum):
    """What to do about one recipient of one report."""

    SUPPRESS = "suppress"
    """Mail nothing more to the address, from now on."""
    COUNT = "count"
    """Add to its score; suppress above the threshold."""
    ALERT = "alert"
    """It is about us: warn, and pause the campaign."""
    KEEP = "keep"
    """Record it, and nothing else."""


@dataclass(frozen=True)
class Score:
    """How often mail to an address bounced softly of late."""

    value: float = 0.0
    at: float = 0.0
    """When it was last added to, in Unix seconds."""

    def faded(self, now: float) -> float:
        """What is left of it at a time in Unix seconds; a clock set back adds nothing to it."""
        return float(self.value * 0.5 ** (max(0.0, now - self.at) / HALF_LIFE))

    def plus(self, now: float) -> Score:
        """The score after one more soft bounce; a second one within a day changes nothing."""
        if self.value and now - self.at < DAY:
            return self
        return Score(self.faded(now) + 1.0, now)

    @property
    def is_too_high(self) -> bool:
        """Whether to suppress the address."""
        return self.value > THRESHOLD


def consequence(kind: FeedbackKind, verdict: ReplyClass, *, attributed: bool) -> Consequence:
    """What to do about one recipient of a report.

    Args:
        kind: What the message is.
        verdict: What it says about the recipient.
        attributed: It carries our own token for that recipient, or the Message-ID of a delivery to
            them, with its MAC.
    """
    # Anybody can forge everything else about a report.
    if not attributed or kind not in {FeedbackKind.BOUNCE, FeedbackKind.COMPLAINT}:
        return Consequence.KEEP
    return {
        ReplyClass.HARD: Consequence.SUPPRESS,
        ReplyClass.SOFT: Consequence.COUNT,
        ReplyClass.BLOCK: Consequence.ALERT,
        ReplyClass.UNKNOWN: Consequence.KEEP,
    }[verdict]
