"""One thing that happened to one delivery, whoever reported it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from newsletter.delivery.message_id import MessageId
from newsletter.smtp_replies.classify import ReplyClass


class EventKind(StrEnum):
    """What happened."""

    ACCEPTED = "accepted"
    """The provider took it."""
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    """Refused for now; the provider tries again."""
    BOUNCED = "bounced"
    DROPPED = "dropped"
    """The provider did not even try."""
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    UNKNOWN = "unknown"
    """None of these: kept, and nothing follows."""


@dataclass(frozen=True, slots=True)
class Event:
    """What a source reports.

    It names a delivery by campaign and position or Message-ID, together with its address, or by
    campaign and subscriber from a token of ours, which needs no address beside it.
    """

    provider_id: str
    """The same for every repeat of this event; at most 120 ASCII characters."""
    kind: EventKind
    source: str
    at: float
    """When it happened, in Unix seconds."""
    payload: bytes
    """The original."""
    verdict: ReplyClass = ReplyClass.UNKNOWN
    email: str = ""
    campaign_id: int | None = None
    position: int | None = None
    """From the ledger or a signed source only: anybody can count."""
    message_id: MessageId | None = None
    """Of that campaign by its tag; its MAC is proved once the delivery is found."""
    subscriber_uid: int | None = None
    """From a genuine token only."""
    is_signed: bool = False
    """Whether the source signed it: a provider's webhook does, mail never."""
