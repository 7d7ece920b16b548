"""Messages for providers that fill the slots themselves: shared content and substitutions.

A provider replaces keys by plain search in everything it is given, values included. So a key must
not occur in any article, and no reader may be able to guess it: it comes from the campaign's
secret seal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from newsletter.delivery.model import Delivery
from newsletter.render.model import Part, Slot


@dataclass(frozen=True, slots=True)
class SharedContent:
    """What all recipients of one variant share, with keys where the slots are."""

    from_name: str
    from_address: str
    reply_to: str
    subject: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Substitutions:
    """The values for one recipient.

    ``substitutions`` maps each key to its value, encoded for its place; ``headers`` are the
    ``List-*`` fields with this recipient's unsubscribe link.
    """

    to: str
    substitutions: Mapping[str, str]
    headers: Mapping[str, str]


@runtime_checkable
class Personalize(Protocol):
    """What provider transports need in addition to `newsletter.delivery.model.Compose`.

    `newsletter.delivery.compose.composer.Composer` implements both.
    """

    def shared(self, variant: int) -> SharedContent:
        """The message of a variant, with keys in place of the slots."""
        ...

    def personal(self, delivery: Delivery) -> Substitutions:
        """The values of the slots for one delivery.

        Raises:
            InputError: The address is not valid in a header; only this delivery fails.
        """
        ...


def slot_key(slot: Slot, seal: str) -> str:
    """The key of a slot: equal slots have equal keys, and all keys have the same length.

    Args:
        seal: A secret of the campaign.
    """
    place = f"{seal} {slot.kind} {slot.name} {slot.default}"
    return f"-{hashlib.sha256(place.encode()).hexdigest()[:24]}-"


def with_keys(part: Part, seal: str) -> str:
    """A part as one text, with keys in place of its slots."""
    keyed = (
        slot_key(slot, seal) + text
        for slot, text in zip(part.slots, part.segments[1:], strict=True)
    )
    return part.segments[0] + "".join(keyed)
