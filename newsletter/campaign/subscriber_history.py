"""What a reader was sent, and what came back: theirs to know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from newsletter.audience.address import address_hash, address_key, check_address
from newsletter.audience.subscribers import NOBODY, events_of_no_subscriber, find
from newsletter.audience.suppression import reasons
from newsletter.audience.tables import consent_event, mailing_list, subscription
from newsletter.audience.times import iso
from newsletter.delivery.ledger.tables import attempt, campaign, delivery
from newsletter.feedback.tables import event

if TYPE_CHECKING:
    from newsletter.audience.keys import Keys
    from newsletter.store.engine import Store

_NOT_TRIED = "queued"
_NEVER_TO_COME = (_NOT_TRIED, "deferred")
"""What becomes nothing more once a campaign is cancelled."""


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
        .where(events_of_no_subscriber(hashed) | theirs)
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


def deliveries_of(connection: Connection, key: str, uid: int | None) -> list[dict[str, Any]]:
    """Every issue that was meant for a reader: when it went, and what became of it.

    Args:
        key: The key of their address.
        uid: Who they are, so that mail to a former address is found; None if nobody is known.
    """
    rows = connection.execute(
        select(
            delivery.c.position,
            delivery.c.skipped,
            campaign.c.id,
            campaign.c.slug,
            campaign.c.audience,
            campaign.c.created_at,
            campaign.c.state,
        )
        .join(campaign, campaign.c.id == delivery.c.campaign_id)
        .where(sent_to(connection, key, uid))
        .order_by(campaign.c.id)
    ).all()
    found = []
    for row in rows:
        outcome, at = _outcome(connection, row.id, row.position)
        if row.state == "cancelled" and outcome in _NEVER_TO_COME:
            outcome = "skipped: cancelled"
        found.append(
            {
                "issue": row.slug,
                "list": row.audience,
                "campaign": row.id,
                "outcome": f"skipped: {row.skipped}" if row.skipped else outcome,
                "at": iso(row.created_at if at is None else at),
            }
        )
    return found


def reports_of(connection: Connection, address_hash: bytes) -> list[dict[str, Any]]:
    """What came back of mail to an address: bounces, complaints, a provider's events."""
    shown = (event.c.kind, event.c.verdict, event.c.source, event.c.campaign_id, event.c.at)
    rows = connection.execute(
        select(*shown)
        .where(event.c.address_hash == address_hash, event.c.verified == 1)
        .order_by(event.c.at, event.c.id)
    )
    return [{**row, "at": iso(row["at"])} for row in rows.mappings()]


def sent_to(connection: Connection, key: str, uid: int | None) -> ColumnElement[bool]:
    """The deliveries to a reader: those to the address, and to another they had before.

    They are asked for by who they are only in that case: there is no index for it.
    """
    by_address: ColumnElement[bool] = delivery.c.email_key == key
    if uid is None:
        return by_address
    moved = select(func.count()).where(
        consent_event.c.subscriber_uid == uid, consent_event.c.action == "address-changed"
    )
    if not connection.execute(moved).scalar_one():
        return by_address
    return by_address | (delivery.c.subscriber_uid == uid)


def _outcome(connection: Connection, campaign_id: int, position: int) -> tuple[str, float | None]:
    """The attempt that counts: the accepted one, else the last."""
    last = connection.execute(
        select(attempt.c.result, attempt.c.reply, attempt.c.at)
        .where(attempt.c.campaign_id == campaign_id, attempt.c.position == position)
        .order_by(case((attempt.c.result == "accepted", 0), else_=1), attempt.c.chunk_id.desc())
        .limit(1)
    ).first()
    if last is None or last.result == "returned":
        return _NOT_TRIED, None
    return (f"skipped: {last.reply}" if last.result == "skipped" else last.result), last.at
