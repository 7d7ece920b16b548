"""What a reader was sent, and what came back: theirs to know."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select

from newsletter.audience.times import iso
from newsletter.store.schema import attempt, campaign, consent_event, delivery, event

_NOT_TRIED = "queued"
_NEVER_TO_COME = (_NOT_TRIED, "deferred")
"""What becomes nothing more once a campaign is cancelled."""


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
