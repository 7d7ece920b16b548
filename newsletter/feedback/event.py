"""Something that happened to one delivery, whoever reported it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from newsletter.delivery.message_id import MessageId
from newsletter.smtp_replies.classify import ReplyClass


class EventKind(StrEnum):
    """What happened."""

    ACCEPTED = "accepted"
    """The provider accepted it."""
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    """Refused for now; the provider will try again."""
    BOUNCED = "bounced"
    DROPPED = "dropped"
    """The provider did not even try."""
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    UNKNOWN = "unknown"
    """None of these: recorded, without consequences."""


@dataclass(frozen=True, slots=True)
class Event:
    """What a source reports.

    It names a delivery by campaign and either position or Message-ID, together with the address;
    or by campaign and subscriber, from a token of ours, which needs no address.
    """

    provider_id: str
    """The same for every repeat of the event; at most 120 ASCII characters."""
    kind: EventKind
    source: str
    at: float
    """When it happened, in Unix seconds."""
    payload: bytes
    """The original, as it was received."""
    verdict: ReplyClass = ReplyClass.UNKNOWN
    email: str = ""
    campaign_id: int | None = None
    position: int | None = None
    """Only from the ledger or a signed source: anybody can guess a number."""
    message_id: MessageId | None = None
    """Of that campaign, by its tag. Its MAC is verified once the delivery is found."""
    subscriber_uid: int | None = None
    """Only from a genuine token."""
    is_signed: bool = False
    """Whether the source signed it. A provider's webhook does; mail does not."""
