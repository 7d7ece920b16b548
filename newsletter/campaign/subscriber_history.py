"""Everything known about a subscriber, for their right of access (GDPR article 15)."""

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
    """Everything known about an address, as plain JSON values.

    That is their fields, lists, pause, consent, every issue addressed to them with its outcome,
    and the feedback on it. ``not_mailed`` has the lists on which they are not mailed now, each
    with the reason. Times are ISO 8601 in UTC; without a pause, ``paused_until`` is None.

    Raises:
        InputError: The address is invalid.
    """
    email = check_address(email)
    key = address_key(email)
    with store.read() as connection:
        subscriber = find(connection, email)
        hashed = address_hash(key, keys)
        known: dict[str, Any] = {
            "email": subscriber.email if subscriber else email,
            "known": subscriber is not None,
            "suppressed": sorted(reasons(connection, hashed)),
        }
        if subscriber is not None:
            kept = ("first_name", "last_name", "language", "time_zone", "attributes")
            known |= {name: getattr(subscriber, name) for name in kept}
            known["created_at"] = iso(subscriber.created_at)
            paused_until = subscriber.paused_until
            known["paused_until"] = iso(paused_until) if paused_until else None
            lists = connection.execute(
                select(mailing_list.c.name, subscription.c.state)
                .join(subscription, subscription.c.list_id == mailing_list.c.id)
                .where(subscription.c.subscriber_id == subscriber.id)
                .order_by(mailing_list.c.name)
            )
            known["lists"] = {row.name: row.state for row in lists}
            now = store.now(connection)
            reasons_here = reasons_by_list(connection, subscriber.id, now)
            known["not_mailed"] = {name: why for name, why in reasons_here.items() if why}
        uid = subscriber.uid if subscriber else None
        known["consent"] = _consents_of(connection, NOBODY if uid is None else uid, hashed)
        known["deliveries"] = deliveries_of(connection, key, uid)
        known["reports"] = reports_of(connection, hashed)
        return known


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
        # Times in evidence are Unix seconds, as everywhere, but people read this.
        evidence = {
            name: iso(value) if name.endswith("_at") and isinstance(value, float) else value
            for name, value in row["evidence"].items()
        }
        found.append({**row, "evidence": evidence, "at": iso(row["at"])})
    return found


def deliveries_of(connection: Connection, key: str, uid: int | None) -> list[dict[str, Any]]:
    """Every issue addressed to a subscriber, with its outcome and when that was known.

    Args:
        key: The key of their address.
        uid: Their number, which also finds mail to a former address; None if unknown.
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
        # The query behind `status` and reports, for one delivery, so that all of them agree.
        (outcome,) = delivery_outcomes(connection, campaign_id, position)
        skipped = outcome.state is DeliveryState.SKIPPED
        found.append(
            {
                "issue": slug,
                "list": list_name,
                "campaign": campaign_id,
                "outcome": f"skipped: {outcome.reply}" if skipped else outcome.state.value,
                "at": iso(created_at if outcome.at is None else outcome.at),
            }
        )
    return found


def reports_of(connection: Connection, address_hash: bytes) -> list[dict[str, Any]]:
    """The feedback on mail to an address: bounces, complaints, a provider's events."""
    shown = (event.c.kind, event.c.verdict, event.c.source, event.c.campaign_id, event.c.at)
    rows = connection.execute(
        select(*shown)
        .where(event.c.address_hash == address_hash, event.c.verified == 1)
        .order_by(event.c.at, event.c.id)
    )
    return [{**row, "at": iso(row["at"])} for row in rows.mappings()]


def sent_to(connection: Connection, key: str, uid: int | None) -> ColumnElement[bool]:
    """The deliveries to a subscriber: to this address, and to any they had before."""
    by_address: ColumnElement[bool] = delivery.c.email_key == key
    if uid is None:
        return by_address
    # Searched by uid only if the address ever changed: there is no index on it.
    moved = select(func.count()).where(
        consent_event.c.subscriber_uid == uid, consent_event.c.action == "address-changed"
    )
    if not connection.execute(moved).scalar_one():
        return by_address
    return by_address | (delivery.c.subscriber_uid == uid)
