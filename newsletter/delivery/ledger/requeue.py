"""Requeue deliveries at a person's request."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from newsletter.delivery.ledger.attempts import Place, append, insert_chunk, requeue
from newsletter.delivery.ledger.outcomes import DeliveryState, known_outcomes
from newsletter.delivery.ledger.states import ChunkKind, ChunkState, reopen_finished
from newsletter.delivery.ledger.tables import chunk
from newsletter.delivery.model import Outcome, Result


def due_now(connection: Connection, campaign_id: int, now: float) -> None:
    """Make every deferred delivery due now."""
    connection.execute(
        update(chunk)
        .where(
            chunk.c.campaign_id == campaign_id,
            chunk.c.kind == ChunkKind.RETRY,
            chunk.c.state == ChunkState.READY,
            chunk.c.due_at > now,
        )
        .values(due_at=now)
    )


def requeue_failed(connection: Connection, campaign_id: int, now: float, *, note: str) -> int:
    """Requeue every failed delivery.

    A separate chunk without members records it: its attempts say who was requeued and why.
    Recipients who may no longer be mailed are skipped when it is their turn.

    Args:
        connection: A write transaction.
        now: Unix seconds.
        note: Who requested it, and why.

    Returns:
        How many were requeued.
    """
    known = known_outcomes(connection, campaign_id)
    failed = connection.execute(
        select(known.c.position).where(known.c.state == DeliveryState.FAILED)
    ).scalars()
    returned = [Outcome(position, Result.RETURNED, reply=note) for position in failed]
    if returned:
        reopen_finished(connection, campaign_id, now)
        # last < first: the chunk has no members, and is never offered.
        record = {"first": 1, "last": 0, "offered": 0}
        kinds = {"kind": ChunkKind.RETURNED, "state": ChunkState.DONE}
        place = Place(campaign_id, insert_chunk(connection, campaign_id, {**record, **kinds}))
        append(connection, place, returned, now)
        requeue(connection, place, now)
    return len(returned)
