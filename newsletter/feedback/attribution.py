"""Which delivery of ours an event is about, if it proves to be about one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection, select

from newsletter.audience.address import address_hash, address_key
from newsletter.audience.keys import Keys
from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tables import subscriber
from newsletter.audience.tokens import TokenSigner
from newsletter.delivery.ledger.tables import delivery
from newsletter.errors import InputError
from newsletter.feedback.event import Event

AT_ONCE = 500
"""Values in one IN (…): SQLite allows 999 in old versions."""


class AttributedDelivery(NamedTuple):
    """The delivery that an event is about; ``email`` is empty once the recipient was erased."""

    campaign_id: int
    position: int
    subscriber_uid: int
    address_hash: bytes
    email: str


EventAbout = tuple[Event, AttributedDelivery | None]
"""An event, and the delivery that it is about."""

# Nothing was sent to recipients who were skipped.
_MAILED = select(
    delivery.c.campaign_id,
    delivery.c.position,
    delivery.c.subscriber_uid,
    delivery.c.address_hash,
    delivery.c.email,
).where(delivery.c.skipped == "")


def find_deliveries(
    connection: Connection, events: Sequence[Event], keys: Keys
) -> list[AttributedDelivery | None]:
    """The delivery that each event proves to be about; None where it proves nothing.

    An event has to carry a token of that subscriber and campaign. Or it names the address that
    was mailed and, besides, either the Message-ID of that delivery with its MAC, or campaign and
    position, which only our ledger and signed sources give.
    """
    wanted: dict[int, set[int]] = defaultdict(set)
    for event in events:
        if event.campaign_id is not None and (position := _position(event)):
            wanted[event.campaign_id].add(position)
    placed: dict[tuple[int, int], AttributedDelivery] = {}
    for campaign_id, positions in wanted.items():
        left = iter(sorted(positions))
        while batch := list(islice(left, AT_ONCE)):
            here = (delivery.c.campaign_id == campaign_id, delivery.c.position.in_(batch))
            for row in connection.execute(_MAILED.where(*here)):
                placed[campaign_id, row.position] = AttributedDelivery(*row)
    signer = TokenSigner(keys)
    found: list[AttributedDelivery | None] = []
    for event in events:
        about = None
        needs_address = True
        if event.campaign_id is not None and event.subscriber_uid is not None:
            about = _by_subscriber(connection, event.campaign_id, event.subscriber_uid)
            needs_address = bool(event.email)
        elif event.campaign_id is not None:
            about = placed.get((event.campaign_id, _position(event)))
        if about and event.message_id and event.subscriber_uid is None:
            # The subscriber is under the MAC, so the Message-ID proves nothing about whoever has
            # that position now, such as after the restore of a backup.
            token = Token(TokenPurpose.BOUNCE, False, about.subscriber_uid, about.campaign_id)
            if not signer.verify_delivery(event.message_id.mac, token, about.position):
                about = None
        if about and needs_address and about.address_hash != hash_of(event.email, keys):
            about = None
        found.append(about)
    return found


def is_transactional(event: Event) -> bool:
    """Whether it is about mail of ours outside any campaign: a confirmation, a test mail.

    Such mail has no delivery, so only a signed source can say so: by mail, anybody could.
    """
    return event.is_signed and event.campaign_id == 0


def hash_of(email: str, keys: Keys) -> bytes | None:
    """The keyed hash of what may be an address; None if it is not one."""
    try:
        return address_hash(address_key(email), keys) if "@" in email else None
    except (InputError, ValueError):
        return None


def _position(event: Event) -> int:
    """The position that an event names; 0, which no delivery has, if it names none."""
    return event.message_id.position if event.message_id else event.position or 0


def _by_subscriber(connection: Connection, campaign_id: int, uid: int) -> AttributedDelivery | None:
    mine = _MAILED.where(delivery.c.campaign_id == campaign_id, delivery.c.subscriber_uid == uid)
    # By the subscriber's present address first, because that has an index; who changed theirs
    # since is found by the slow way.
    key = select(subscriber.c.email_key).where(subscriber.c.uid == uid).scalar_subquery()
    row = connection.execute(mine.where(delivery.c.email_key == key)).first()
    row = row or connection.execute(mine).first()
    return AttributedDelivery(*row) if row else None
