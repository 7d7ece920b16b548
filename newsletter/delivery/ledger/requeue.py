"""Trying again because a person asks for it."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from newsletter.delivery.ledger.attempts import Place, append, requeue
from newsletter.delivery.ledger.outcomes import latest_attempts
from newsletter.delivery.ledger.tables import chunk
from newsletter.delivery.model import Outcome, Result


def due_now(connection: Connection, campaign_id: int, now: float) -> None:
    """Let every deferred delivery be due at once."""
    connection.execute(
        update(chunk)
        .where(
            chunk.c.campaign_id == campaign_id,
            chunk.c.kind == "retry",
            chunk.c.state == "ready",
            chunk.c.due_at > now,
        )
        .values(due_at=now)
    )


def put_back(connection: Connection, campaign_id: int, now: float, *, note: str) -> int:
    """Put every failed delivery back into the queue.

    A chunk of its own records it: nobody is offered by it, and its attempts say who was put back
    and why. Whoever is suppressed by now is skipped when it is their turn.

    Args:
        connection: A write transaction.
        now: Unix seconds.
        note: Who asked for it, and why.

    Returns:
        How many.
    """
    latest = latest_attempts(connection, campaign_id)
    failed = connection.execute(
        select(latest.c.position).where(latest.c.result == Result.FAILED)
    ).scalars()
    returned = [Outcome(position, Result.RETURNED, reply=note) for position in failed]
    if returned:
        made = connection.execute(
            insert(chunk).values(
                campaign_id=campaign_id, kind="returned", first=1, last=0, offered=0, state="done"
            )
        )
        place = Place(campaign_id, made.inserted_primary_key[0])  # type: ignore[index]
        append(connection, place, returned, now)
        requeue(connection, place, now)
    return len(returned)
