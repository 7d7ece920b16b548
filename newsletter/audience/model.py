"""Who is written to: the values that `audience` owns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SubscriptionState(StrEnum):
    """Where a person stands with one list."""

    PENDING = "pending"
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"


class SuppressionReason(StrEnum):
    """Why an address must never be mailed. An address may have several."""

    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    ERASED = "erased"
    MANUAL = "manual"


class TokenPurpose(StrEnum):
    """What a token may do. A token of one purpose is worthless for any other."""

    UNSUBSCRIBE = "unsubscribe"
    BOUNCE = "bounce"


@dataclass(frozen=True, slots=True)
class Token:
    """What a valid token says.

    ``subscriber_uid`` and ``campaign_id`` are opaque numbers. A ``proof`` token (from a dry run, a
    preview or a test mail) shows its page and changes nothing.
    """

    purpose: TokenPurpose
    proof: bool
    subscriber_uid: int
    campaign_id: int
