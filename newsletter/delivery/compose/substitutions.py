"""The same message for a provider that fills the slots itself: what is shared, and each reader's.

A provider replaces keys by plain search in whatever it is given, values included, so a key must be
something that no article holds and no reader can name: it comes from the campaign's secret seal.
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
    """What every reader of one variant gets alike, with keys where the slots are."""

    from_name: str
    from_address: str
    reply_to: str
    subject: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Substitutions:
    """What is one reader's own.

    ``substitutions`` maps each key to its value, written as its place demands; ``headers`` are the
    ``List-*`` fields with this reader's way out.
    """

    to: str
    substitutions: Mapping[str, str]
    headers: Mapping[str, str]


@runtime_checkable
class Personalize(Protocol):
    """What a transport with a provider behind it needs beside `newsletter.delivery.model.Compose`.

    `newsletter.delivery.compose.composer.Composer` is both.
    """

    def shared(self, variant: int) -> SharedContent:
        """The message of a variant, with keys in place of what differs."""
        ...

    def personal(self, delivery: Delivery) -> Substitutions:
        """What differs for one delivery.

        Raises:
            InputError: The address cannot stand in a header; nothing but this delivery fails.
        """
        ...


def slot_key(slot: Slot, seal: str) -> str:
    """The key that stands for a slot: equal slots have equal keys, all are equally long.

    Args:
        seal: A secret of the campaign.
    """
    place = f"{seal} {slot.kind} {slot.name} {slot.default}"
    return f"-{hashlib.sha256(place.encode()).hexdigest()[:24]}-"


def with_keys(part: Part, seal: str) -> str:
    """A part as one text, keys in place of its slots."""
    keyed = (
        slot_key(slot, seal) + text
        for slot, text in zip(part.slots, part.segments[1:], strict=True)
    )
    return part.segments[0] + "".join(keyed)
