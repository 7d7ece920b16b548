"""What this room makes: a report, read from one message."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from newsletter.audience.model import Token
from newsletter.smtp_replies.classify import ReplyClass


class FeedbackKind(StrEnum):
    """What a message that came back is."""

    BOUNCE = "bounce"
    """A delivery failed, or is late."""
    COMPLAINT = "complaint"
    """A feedback report (RFC 5965)."""
    AUTO_REPLY = "auto-reply"
    """A responder's answer (RFC 3834): to be ignored."""
    DELIVERED = "delivered"
    """A report of success (RFC 3464 actions delivered, relayed, expanded)."""
    OTHER = "other"
    """Anything else, such as a letter."""


@dataclass(frozen=True)
class ReportedRecipient:
    """One recipient that a report speaks of."""

    address: str
    """As we mailed it, where the report says so; empty where it names none."""
    verdict: ReplyClass
    status: str = ""
    """Enhanced status code (RFC 3463), or empty."""
    reply: str = ""
    """SMTP reply code, or empty."""
    reason: str = ""
    """What the other side said, on one line."""


@dataclass(frozen=True)
class FeedbackReport:
    """One message, understood."""

    kind: FeedbackKind
    recipients: tuple[ReportedRecipient, ...] = ()
    token: Token | None = None
    """Our own signed token in the address it came to (VERP): proof that it answers our mail."""
    message_id: str = ""
    """Message-ID of the message it is about: proof too, if its MAC is genuine and that delivery
    was to them."""
    feedback_type: str = ""
    """Of a complaint: abuse, opt-out, auth-failure … (RFC 5965 section 7.3)."""
