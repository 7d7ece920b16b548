"""What is known of a subscriber: what they were sent, and what came back. Theirs to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from newsletter.audience.address import address_hash, address_key, check_address
from newsletter.audience.mailability import reasons_by_list
from newsletter.audience.subscribers import NOBODY, events_of_no_subscriber, find
from newsletter.audience.suppression import reasons
from newsletter.audience.tables import consent_event, mailing_list, subscription
from newsletter.audience.times import iso
from newsletter.delivery.ledger.outcomes import DeliveryState, delivery_outcomes
from newsletter.delivery.ledger.tables import campaign, delivery
from newsletter.feedback.tables import event

if TYPE_CHECKING:
    from newsletter.audience.keys import Keys
    from newsletter.store.engine import Store


def show(store: Store, email: str, keys: Keys) -> dict[str, Any]:
    """Everything known of an address, as plain JSON values: a person may ask for it.

    That is who they are, lists, pause, consent, every issue meant for them with its outcome, and
    what came back of it. ``not_mailed`` has the lists on which nothing is sent to them now, each
    with the reason. Times are ISO 8601 in UTC; without a pause, ``paused_until`` is None.

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
            known |= {name: getattr(person, name) for name in kept}
            known["created_at"] = iso(person.created_at)
            known["paused_until"] = iso(person.paused_until) if person.paused_until else None
            known["lists"] = _lists_of(connection, person.id)
            now = store.now(connection)
            reasons_here = reasons_by_list(connection, person.id, now)
            known["not_mailed"] = {name: why for name, why in reasons_here.items() if why}
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
    found = []
    for row in connection.execute(query).mappings():
        # Times in evidence are Unix seconds, as everywhere; a person reads this.
        evidence = {
            name: iso(value) if name.endswith("_at") and isinstance(value, float) else value
            for name, value in row["evidence"].items()
        }
        found.append({**row, "evidence": evidence, "at": iso(row["at"])})
    return found


def deliveries_of(connection: Connection, key: str, uid: int | None) -> list[dict[str, Any]]:
    """Every issue that was meant for a subscriber, with its outcome and when that was known.

    Args:
        key: The key of their address.
        uid: Who they are, so that mail to a former address is found; None if nobody is known.
    """
    rows = connection.execute(
        select(
            delivery.c.position,
            campaign.c.id,
            campaign.c.slug,
            campaign.c.audience,
            campaign.c.created_at,
        )
        .join(campaign, campaign.c.id == delivery.c.campaign_id)
        .where(sent_to(connection, key, uid))
        .order_by(campaign.c.id)
    ).all()
    found = []
    for position, campaign_id, slug, list_name, created_at in rows:
        # What is told of everybody, asked for one: no second opinion here.
        (one,) = delivery_outcomes(connection, campaign_id, position)
        skipped = one.state is DeliveryState.SKIPPED
        found.append(
            {
                "issue": slug,
                "list": list_name,
                "campaign": campaign_id,
                "outcome": f"skipped: {one.reply}" if skipped else one.state.value,
                "at": iso(created_at if one.at is None else one.at),
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
    """The deliveries to a subscriber: those to the address, and to another they had before.

    They are searched for by uid only in that case: there is no index for it.
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
