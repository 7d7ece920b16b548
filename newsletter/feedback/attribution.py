"""Which events are about a delivery of ours, and which one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, select

from newsletter.audience.address import address_hash, address_key
from newsletter.audience.keys import Keys
from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tables import subscriber
from newsletter.audience.tokens import TokenSigner
from newsletter.delivery.ledger.tables import delivery
from newsletter.delivery.message_id import MessageId
from newsletter.errors import InputError
from newsletter.feedback.event import Event

AT_ONCE = 500
_COLUMNS: tuple[Any, ...] = (
    delivery.c.campaign_id,
    delivery.c.position,
    delivery.c.subscriber_uid,
    delivery.c.address_hash,
    delivery.c.email,
)


def find_deliveries(
    connection: Connection, events: Sequence[Event], keys: Keys
) -> list[Row[Any] | None]:
    """The delivery that each event has proved to be about; None where it has not.

    An event proves itself by a token of that reader and campaign; or it names the very address
    that was mailed, and either quotes the Message-ID of that delivery, with its MAC, or comes with
    campaign and position from a source that is believed.
    """
    placed = _by_place(connection, events)
    signer = TokenSigner(keys)
    return [_delivery(connection, event, placed, keys, signer) for event in events]


def is_about_letter(event: Event) -> bool:
    """Whether it is about mail of ours outside any campaign: a letter to one reader, a test mail.

    No delivery stands for it, and only a signed source can say so: by mail, anybody could.
    """
    return event.is_signed and event.campaign_id == 0


def hash_of(email: str, keys: Keys) -> bytes | None:
    """The keyed hash of what may be an address; None if it is none."""
    try:
        return address_hash(address_key(email), keys) if "@" in email else None
    except (InputError, ValueError):
        return None


def _delivery(
    connection: Connection,
    event: Event,
    placed: dict[tuple[int, int], Row[Any]],
    keys: Keys,
    signer: TokenSigner,
) -> Row[Any] | None:
    if event.campaign_id is None:
        return None
    if event.subscriber_uid is not None:
        found = _by_reader(connection, event.campaign_id, event.subscriber_uid)
        return found if not event.email or _is_to(found, event.email, keys) else None
    found = placed.get((event.campaign_id, _position(event) or 0))
    if event.message_id and not _is_of(found, event.message_id, signer):
        return None
    return found if _is_to(found, event.email, keys) else None


def _position(event: Event) -> int | None:
    return event.message_id.position if event.message_id else event.position


def _is_of(found: Row[Any] | None, message_id: MessageId, signer: TokenSigner) -> bool:
    """Whether it is the Message-ID that this delivery was composed with, live."""
    if found is None:
        return False
    token = Token(TokenPurpose.BOUNCE, False, found.subscriber_uid, found.campaign_id)
    return signer.verify_delivery(message_id.mac, token, found.position)


def _is_to(found: Row[Any] | None, email: str, keys: Keys) -> bool:
    return found is not None and found.address_hash == hash_of(email, keys)


def _by_place(connection: Connection, events: Sequence[Event]) -> dict[tuple[int, int], Row[Any]]:
    wanted: dict[int, set[int]] = defaultdict(set)
    for event in events:
        position = _position(event)
        if event.campaign_id is not None and position is not None:
            wanted[event.campaign_id].add(position)
    found: dict[tuple[int, int], Row[Any]] = {}
    for campaign_id, positions in wanted.items():
        left = iter(sorted(positions))
        while batch := list(islice(left, AT_ONCE)):
            rows = connection.execute(
                select(*_COLUMNS).where(
                    delivery.c.campaign_id == campaign_id,
                    delivery.c.position.in_(batch),
                    delivery.c.skipped == "",
                )
            )
            for row in rows:
                found[campaign_id, row.position] = row
    return found


def _by_reader(connection: Connection, campaign_id: int, uid: int) -> Row[Any] | None:
    """By the reader's address as it is now, which has an index; else by who they are."""
    mine = select(*_COLUMNS).where(
        delivery.c.campaign_id == campaign_id,
        delivery.c.subscriber_uid == uid,
        delivery.c.skipped == "",
    )
    key = select(subscriber.c.email_key).where(subscriber.c.uid == uid).scalar_subquery()
    found: Row[Any] | None = connection.execute(mine.where(delivery.c.email_key == key)).first()
    return found or connection.execute(mine).first()
