"""Chunks: an audience divided among however many workers, and which of them are waiting."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, case, exists, func, insert, select

from newsletter.deliver.attempts import MEMBERS
from newsletter.store import Store
from newsletter.store.schema import campaign, chunk, delivery

LOOK_S = 1.0
"""How often to look after what another worker has in hand."""
CHUNKS = 64
SMALLEST = 500


def plan(connection: Connection, campaign_id: int, size: int = 0) -> None:
    """Divide a frozen audience into chunks.

    Args:
        connection: A write transaction, best the one that froze the audience.
        campaign_id: Whose audience; it must not be planned already.
        size: Deliveries in one chunk; 0 takes what suits the database and the audience.
    """
    last = connection.execute(
        select(func.max(delivery.c.position)).where(delivery.c.campaign_id == campaign_id)
    ).scalar()
    size = size or _size(connection, last or 0)
    rows = [
        {
            "campaign_id": campaign_id,
            "kind": "first",
            "first": first,
            "last": min(first + size - 1, last or 0),
            "offered": first - 1,
            "state": "ready",
        }
        for first in range(1, (last or 0) + 1, size)
    ]
    if rows:
        connection.execute(insert(chunk), rows)


def _size(connection: Connection, audience: int) -> int:
    """On PostgreSQL enough chunks for many workers, each long enough to be worth a lease."""
    if connection.dialect.name == "sqlite":
        return MEMBERS
    return min(max(audience // CHUNKS, SMALLEST), MEMBERS)


def claimable(now: float) -> Select[Any]:
    """The chunks that anybody may claim: retries before what nobody has seen yet.

    Args:
        now: Unix seconds, by `newsletter.store.Store.now`.
    """
    return (
        select(chunk)
        .join(campaign, campaign.c.id == chunk.c.campaign_id)
        .where(chunk.c.state == "ready", chunk.c.due_at <= now, campaign.c.state == "sending")
        .order_by(case((chunk.c.kind == "first", 1), else_=0), chunk.c.id)
    )


def seconds_until_due(store: Store, campaign_id: int) -> float | None:
    """How long until there may be something to do; None when nothing waits or the campaign halts.

    What another worker has in hand may come back at any time: that is looked after every second.
    """
    with store.read() as connection:
        now = store.now(connection)
        due: float | None = connection.execute(
            select(func.min(case((chunk.c.state == "leased", now + LOOK_S), else_=chunk.c.due_at)))
            .join(campaign, campaign.c.id == chunk.c.campaign_id)
            .where(
                chunk.c.campaign_id == campaign_id,
                chunk.c.state != "done",
                campaign.c.state == "sending",
            )
        ).scalar()
        return None if due is None else max(0.0, due - now)


def is_done(connection: Connection, campaign_id: int) -> bool:
    """Whether every delivery of a planned campaign is final: no chunk is left."""
    left = exists().where(chunk.c.campaign_id == campaign_id, chunk.c.state != "done")
    return not connection.execute(select(left)).scalar_one()
