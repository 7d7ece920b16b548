"""Single subscribers: find, add, subscribe, and record consent."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    insert,
    select,
    update,
)

from newsletter.audience.address import address_hash, address_key, check_address
from newsletter.audience.lists import ensure_list
from newsletter.audience.model import SubscriptionState, SuppressionReason
from newsletter.audience.suppression import lift
from newsletter.audience.tables import (
    consent_event,
    subscriber,
    subscription,
)
from newsletter.store.upsert import insert_new

if TYPE_CHECKING:
    from newsletter.audience.keys import Keys

UID_BITS = 63
NOBODY = 0
"""The uid of consent events about an address without a subscriber."""
_HASH = "address_hash"


@dataclass(frozen=True, slots=True)
class Consent:
    """The record of a consent or its withdrawal: append-only.

    ``source`` is where it came from, ``evidence`` proves it (JSON values), ``at`` is in Unix
    seconds.
    """

    source: str
    at: float
    wording_version: str = ""
    evidence: Mapping[str, Any] | None = None


class Subscriber(NamedTuple):
    """A row of `subscriber`, in the order of its columns; times are Unix seconds."""

    id: int
    uid: int
    email: str
    email_key: str
    address_hash: bytes
    first_name: str
    last_name: str
    attributes: Mapping[str, str]
    language: str
    time_zone: str
    paused_until: float
    created_at: float
    updated_at: float


def find(connection: Connection, email: str) -> Subscriber | None:
    """The subscriber with this address, however it is written."""
    query = select(subscriber).where(subscriber.c.email_key == address_key(email))
    row = connection.execute(query).first()
    return Subscriber._make(row) if row else None


def add(
    connection: Connection,
    email: str,
    keys: Keys,
    *,
    at: float,
    first_name: str = "",
    last_name: str = "",
) -> Subscriber:
    """The subscriber with this address, created if needed; not yet on a list.

    Raises:
        InputError: The address is invalid.
    """
    email = check_address(email)
    key = address_key(email)
    new = {
        "uid": secrets.randbits(UID_BITS),
        "email": email,
        "email_key": key,
        "address_hash": address_hash(key, keys),
        "first_name": first_name,
        "last_name": last_name,
        "created_at": at,
        "updated_at": at,
    }
    # Two processes may add one address at once: the unique key decides, and both read the winner.
    insert_new(connection, subscriber, new)
    found = find(connection, email)
    assert found is not None  # noqa: S101
    return found


def subscribe(
    connection: Connection,
    person: Subscriber,
    list_name: str,
    consent: Consent,
    *,
    state: SubscriptionState = SubscriptionState.ACTIVE,
    confirmed_by_reader: bool = False,
) -> SubscriptionState:
    """Put a subscriber on a list, and record their consent.

    Args:
        connection: A write transaction.
        person: From `find` or `add`.
        list_name: The list; created if needed.
        consent: Where the consent comes from.
        state: ``PENDING`` until a double opt-in is confirmed.
        confirmed_by_reader: The reader has just confirmed it themselves. Only this ends an earlier
            unsubscribe and its suppression; bounces, complaints and other reasons stay.

    Returns:
        The state of the subscription now.
    """
    which = ensure_list(connection, list_name, consent.at)
    here = (subscription.c.list_id == which, subscription.c.subscriber_id == person.id)
    now = connection.execute(select(subscription.c.state).where(*here)).scalar()
    if confirmed_by_reader:
        lift(connection, person.address_hash, SuppressionReason.UNSUBSCRIBED)
    elif now in {SubscriptionState.UNSUBSCRIBED, SubscriptionState.ACTIVE}:
        # Nobody but the reader may end an unsubscribe.
        return SubscriptionState(now)
    values = {"state": state, "updated_at": consent.at}
    if now is None:
        keys = {"list_id": which, "subscriber_id": person.id, "created_at": consent.at}
        connection.execute(insert(subscription).values(**keys, **values))
    else:
        connection.execute(update(subscription).where(*here).values(**values))
    record(connection, person.uid, list_name, f"subscribed-{state}", consent)
    return state


def record(connection: Connection, uid: int, list_name: str, action: str, consent: Consent) -> None:
    """Append one consent event."""
    connection.execute(insert(consent_event).values(event_row(uid, list_name, action, consent)))


def event_row(uid: int, list_name: str, action: str, consent: Consent) -> dict[str, Any]:
    """One consent event as a row to insert."""
    return {
        "subscriber_uid": uid,
        "list_name": list_name,
        "action": action,
        "source": consent.source,
        "wording_version": consent.wording_version,
        "evidence": dict(consent.evidence or {}),
        "at": consent.at,
    }


def of_no_subscriber(hashed: bytes) -> dict[str, str]:
    """Evidence that identifies an address without containing it, for an event of `NOBODY`."""
    return {_HASH: hashed.hex()}


def events_of_no_subscriber(hashed: bytes) -> ColumnElement[bool]:
    """The consent events of `NOBODY` about this address."""
    named = consent_event.c.evidence[_HASH].as_string() == hashed.hex()
    return and_(consent_event.c.subscriber_uid == NOBODY, named)
