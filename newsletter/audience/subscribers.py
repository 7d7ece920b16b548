"""One subscriber at a time: join, look up, erase."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Text,
    and_,
    cast,
    delete,
    insert,
    literal,
    select,
    update,
)

from newsletter.audience.address import address_hash, address_key, check_address
from newsletter.audience.bulk import insert_new
from newsletter.audience.keys import check_suppression_key_within
from newsletter.audience.lists import ensure_list
from newsletter.audience.model import SubscriptionState, SuppressionReason
from newsletter.audience.past import deliveries_of, reports_of, sent_to
from newsletter.audience.suppression import lift, reasons, suppress
from newsletter.audience.times import iso
from newsletter.store.schema import (
    consent_event,
    delivery,
    event,
    import_member,
    mailed_link,
    mailing_list,
    subscriber,
    subscription,
)

if TYPE_CHECKING:
    from newsletter.audience.keys import Keys
    from newsletter.store import Store

UID_BITS = 63
NOBODY = 0
"""The uid of consent events about an address that is no subscriber's."""
_HASH = "address_hash"


@dataclass(frozen=True, slots=True)
class Consent:
    """What is kept of a yes or a no: append-only.

    ``source`` is where it came from, ``evidence`` what proves it (JSON values), ``at`` Unix
    seconds.
    """

    source: str
    at: float
    wording_version: str = ""
    evidence: Mapping[str, Any] | None = None


def find(connection: Connection, email: str) -> Row[Any] | None:
    """The subscriber with this address, however it is written."""
    query = select(subscriber).where(subscriber.c.email_key == address_key(email))
    return connection.execute(query).first()


def add(
    connection: Connection,
    email: str,
    keys: Keys,
    *,
    at: float,
    first_name: str = "",
    last_name: str = "",
) -> Row[Any]:
    """The subscriber with this address, made if need be; on no list yet.

    Raises:
        InputError: The address is none we can write to.
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
    insert_new(connection, subscriber, new)
    found = find(connection, email)
    assert found is not None  # noqa: S101
    return found


def subscribe(
    connection: Connection,
    person: Row[Any],
    list_name: str,
    consent: Consent,
    *,
    state: SubscriptionState = SubscriptionState.ACTIVE,
    confirmed_by_reader: bool = False,
) -> SubscriptionState:
    """Put a person on a list, and write down their consent.

    Args:
        connection: A write transaction.
        person: From `find` or `add`.
        list_name: The list; made if need be.
        consent: Where the yes comes from.
        state: ``PENDING`` until a double opt-in is confirmed.
        confirmed_by_reader: The reader has just confirmed it themselves. Only then does an
            earlier unsubscribe end, and its suppression; bounces, complaints and others stay.

    Returns:
        Where the person stands with the list now.
    """
    which = ensure_list(connection, list_name, consent.at)
    here = (subscription.c.list_id == which, subscription.c.subscriber_id == person.id)
    now = connection.execute(select(subscription.c.state).where(*here)).scalar()
    if confirmed_by_reader:
        lift(connection, person.address_hash, SuppressionReason.UNSUBSCRIBED)
    elif now in {SubscriptionState.UNSUBSCRIBED, SubscriptionState.ACTIVE}:
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
    """One consent event as a row to append."""
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
    """Evidence that names an address without saying it, for an event of `NOBODY`."""
    return {_HASH: hashed.hex()}


def _events_of_no_subscriber(hashed: bytes) -> ColumnElement[bool]:
    named = consent_event.c.evidence[_HASH].as_string() == hashed.hex()
    return and_(consent_event.c.subscriber_uid == NOBODY, named)


def show(store: Store, email: str, keys: Keys) -> dict[str, Any]:
    """Everything known of an address, as plain JSON values: a person may ask for it.

    That is who they are, lists, pause, consent, every issue meant for them with its outcome, and
    what came back of it. Times are ISO 8601 in UTC; without a pause, ``paused_until`` is None.

    Raises:
        InputError: The address is none.
    """
    email = check_address(email)
    key = address_key(email)
    with store.read() as connection:
        person = find(connection, email)
        hashed = address_hash(key, keys)
        known: dict[str, Any] = {
            "email": person.email if person else email,
            "known": person is not None,
            "suppressed": sorted(reasons(connection, hashed)),
        }
        if person is not None:
            kept = ("first_name", "last_name", "language", "time_zone", "attributes")
            known |= {name: person._mapping[name] for name in kept}
            known["created_at"] = iso(person.created_at)
            known["paused_until"] = iso(person.paused_until) if person.paused_until else None
            known["lists"] = _lists_of(connection, person.id)
        known["consent"] = _consents_of(connection, person.uid if person else NOBODY, hashed)
        known["deliveries"] = deliveries_of(connection, key, person.uid if person else None)
        known["reports"] = reports_of(connection, hashed)
        return known


def _lists_of(connection: Connection, person_id: int) -> dict[str, str]:
    query = (
        select(mailing_list.c.name, subscription.c.state)
        .join(subscription, subscription.c.list_id == mailing_list.c.id)
        .where(subscription.c.subscriber_id == person_id)
        .order_by(mailing_list.c.name)
    )
    return {row.name: row.state for row in connection.execute(query)}


def _consents_of(connection: Connection, uid: int, hashed: bytes) -> list[dict[str, Any]]:
    shown = ("list_name", "action", "source", "wording_version", "evidence", "at")
    theirs = and_(consent_event.c.subscriber_uid == uid, consent_event.c.subscriber_uid != NOBODY)
    query = (
        select(*(consent_event.c[name] for name in shown))
        .where(_events_of_no_subscriber(hashed) | theirs)
        .order_by(consent_event.c.id)
    )
    return [
        {**row, "evidence": _readable(row["evidence"]), "at": iso(row["at"])}
        for row in connection.execute(query).mappings()
    ]


def _readable(evidence: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: iso(value) if name.endswith("_at") and isinstance(value, float) else value
        for name, value in evidence.items()
    }


def erase(store: Store, email: str, keys: Keys, *, by: str) -> bool:
    """Delete what is known of a person (GDPR article 17); a keyed hash keeps them from coming back.

    Consent events keep the opaque uid and lose their evidence; past deliveries lose address, name
    and attributes, and keep the hash by which a queued one is still skipped; events lose what
    came.

    Args:
        by: Who erases, for the record.

    Returns:
        Whether anything was known of the address. It is suppressed in either case.

    Raises:
        InputError: The address is none.
        RefusedError: The suppression key is not this database's.
    """
    key = address_key(check_address(email))
    hashed = address_hash(key, keys)
    with store.write() as connection:
        check_suppression_key_within(connection, keys)
        at = store.now(connection)
        suppress(connection, hashed, SuppressionReason.ERASED, by, at)
        person = find(connection, key)
        theirs = sent_to(connection, key, person and person.uid)
        sent = connection.execute(select(delivery.c.address_hash).where(theirs)).scalars()
        reports = event.c.address_hash.in_({hashed, *sent}) & (event.c.payload != b"")
        requests = mailed_link.c.email_key == key
        forgotten = (
            _forget_deliveries(connection, theirs)
            + connection.execute(update(event).where(reports).values(payload=b"")).rowcount
            + connection.execute(delete(mailed_link).where(requests)).rowcount
            + _forget_evidence(connection, _events_of_no_subscriber(hashed))
        )
        if person is None:
            return forgotten > 0
        connection.execute(delete(mailed_link).where(mailed_link.c.subscriber_uid == person.uid))
        _forget_evidence(connection, consent_event.c.subscriber_uid == person.uid)
        record(connection, person.uid, "", "erased", Consent(by, at))
        connection.execute(delete(import_member).where(import_member.c.subscriber_id == person.id))
        connection.execute(delete(subscriber).where(subscriber.c.id == person.id))
        return True


def _forget_evidence(connection: Connection, theirs: ColumnElement[bool]) -> int:
    found = connection.execute(update(consent_event).where(theirs).values(evidence={}))
    return found.rowcount


def _forget_deliveries(connection: Connection, theirs: ColumnElement[bool]) -> int:
    nobody = f"erased-{secrets.token_hex(16)}-"
    found = connection.execute(
        update(delivery)
        .where(theirs)
        .values(
            email="",
            email_key=literal(nobody).concat(cast(delivery.c.position, Text)),
            first_name="",
            last_name="",
            attributes={},
        )
    )
    return found.rowcount
