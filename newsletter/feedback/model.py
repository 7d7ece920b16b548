"""What a message that came back says: a report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from newsletter.audience.model import Token
from newsletter.smtp_replies.classify import ReplyClass


class FeedbackKind(StrEnum):
    """What a message that came back is."""

    BOUNCE = "bounce"
    """A delivery failed, or is delayed."""
    COMPLAINT = "complaint"
    """A feedback report (RFC 5965)."""
    AUTO_REPLY = "auto-reply"
    """An automatic reply (RFC 3834), which is ignored."""
    DELIVERED = "delivered"
    """A report of success (RFC 3464 actions delivered, relayed, expanded)."""
    OTHER = "other"
    """Anything else, such as a letter to the clinic."""


@dataclass(frozen=True)
class ReportedRecipient:
    """One recipient that a report is about."""

    address: str
    """The address as we mailed it, where the report says so; empty where it names none."""
    verdict: ReplyClass
    status: str = ""
    """Enhanced status code (RFC 3463), or empty."""
    reply: str = ""
    """SMTP reply code, or empty."""
    reason: str = ""
    """What the other side said, on one line."""


@dataclass(frozen=True)
class FeedbackReport:
    """What one message says."""

    kind: FeedbackKind
    recipients: tuple[ReportedRecipient, ...] = ()
    token: Token | None = None
    """Our own signed token in the address it came to (VERP), which proves that it answers ours."""
    message_id: str = ""
    """Message-ID of the message it is about. That is proof, too, if its MAC is genuine and that
    delivery was to the recipient it names."""
    feedback_type: str = ""
    """Of a complaint: abuse, opt-out, auth-failure … (RFC 5965 section 7.3)."""
