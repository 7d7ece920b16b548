"""Chunks: an audience divided among any number of workers, and which chunks are due."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from newsletter.delivery.ledger.attempts import MEMBERS
from newsletter.delivery.ledger.retry import DEFAULT_POLICY
from newsletter.delivery.ledger.states import CampaignState, ChunkKind, ChunkState
from newsletter.delivery.ledger.tables import campaign, chunk, delivery
from newsletter.store.engine import Store

LOOK_S = 1.0
"""How often to check on what another worker is sending."""
LONGEST_REST_S = 600.0
"""The rest for a rate limit is shorter, and a retry waits less than twice the longest delay.

Whatever waits longer was scheduled before the clock was set back."""
CHUNKS = 24
SMALLEST = 500
_LONGEST = {
    ChunkKind.LIMITED: LONGEST_REST_S,
    ChunkKind.RETRY: 2 * DEFAULT_POLICY.longest_delay,
}


class LeasedChunk(NamedTuple):
    """A chunk as the owner of its lease sees it, with the state of its campaign.

    ``list_id`` is the list of the campaign; None if it was deleted.
    """

    id: int
    campaign_id: int
    kind: ChunkKind
    first: int
    last: int
    offered: int
    campaign_state: CampaignState
    list_id: int | None


def plan(connection: Connection, campaign_id: int, size: int = 0, *, canary: int = 0) -> None:
    """Divide an audience snapshot into chunks.

    Args:
        connection: A write transaction, preferably the one that took the snapshot.
        campaign_id: The campaign; it must not be planned already.
        size: Deliveries in one chunk; 0 chooses by database and audience.
        canary: How many must have an outcome before anyone else is mailed.
    """
    last = connection.execute(
        select(func.max(delivery.c.position)).where(delivery.c.campaign_id == campaign_id)
    ).scalar()
    if not size:
        # On PostgreSQL: enough chunks for many workers, each large enough to be worth a lease.
        shared = min(max((last or 0) // CHUNKS, SMALLEST), MEMBERS)
        size = MEMBERS if connection.dialect.name == "sqlite" else shared
    ahead = 0
    if canary:
        # The position up to which the first ``canary`` of the mailable are; 0 if there are fewer.
        found: int | None = connection.execute(
            select(delivery.c.position)
            .where(delivery.c.campaign_id == campaign_id, delivery.c.skipped == "")
            .order_by(delivery.c.position)
            .offset(canary - 1)
            .limit(1)
        ).scalar()
        ahead = found or 0
        connection.execute(
            update(campaign).where(campaign.c.id == campaign_id).values(canary=ahead)
        )
    starts = [*([1] if ahead else []), *range(ahead + 1, (last or 0) + 1, size)]
    ends = [*(start - 1 for start in starts[1:]), last or 0]
    # Ranges include the positions that the snapshot skipped: reserving a batch passes over them.
    rows = [
        {
            "campaign_id": campaign_id,
            "kind": ChunkKind.FIRST,
            "first": first,
            "last": end,
            "offered": first - 1,
            "state": ChunkState.READY,
        }
        for first, end in zip(starts, ends, strict=False)
    ]
    if rows:
        connection.execute(insert(chunk), rows)


def claimable(now: float) -> Select[int]:
    """The chunks that any worker may claim: retries before first attempts.

    Args:
        now: Unix seconds, by `newsletter.store.engine.Store.now`.
    """
    ahead = chunk.alias("ahead")
    # Deferred messages of the canary are in retry chunks: only first replies are waited for.
    behind_no_canary = or_(
        campaign.c.canary == 0,
        and_(chunk.c.kind == ChunkKind.FIRST, chunk.c.last <= campaign.c.canary),
        ~exists().where(
            ahead.c.campaign_id == campaign.c.id,
            ahead.c.kind == ChunkKind.FIRST,
            ahead.c.last <= campaign.c.canary,
            ahead.c.state != ChunkState.DONE,
        ),
    )
    return (
        select(chunk.c.id)
        .join(campaign, campaign.c.id == chunk.c.campaign_id)
        .where(
            chunk.c.state == ChunkState.READY,
            _due_at(now) <= now,
            campaign.c.state == CampaignState.SENDING,
            behind_no_canary,
        )
        .order_by(case((chunk.c.kind == ChunkKind.FIRST, 1), else_=0), chunk.c.id)
    )


def _due_at(now: float) -> ColumnElement[float]:
    clock_was_set_back = or_(
        *(
            and_(chunk.c.kind == kind, chunk.c.due_at > now + longest)
            for kind, longest in _LONGEST.items()
        )
    )
    return case((clock_was_set_back, now), else_=chunk.c.due_at)


def due_chunks(connection: Connection, transport: str, now: float) -> list[int]:
    """The chunks that any worker may claim, by number.

    Args:
        connection: Any connection.
        transport: Only campaigns that use it.
        now: As `claimable`.
    """
    query = claimable(now).where(campaign.c.transport == transport)
    return list(connection.execute(query).scalars())


def seconds_until_due(store: Store, campaign_id: int) -> float | None:
    """How long until there may be something to do; None if nothing is left or the campaign halted.

    What another worker is sending may be returned at any time: that is checked every second.
    """
    with store.read() as connection:
        now = store.now(connection)
        leased = chunk.c.state == ChunkState.LEASED
        due: float | None = connection.execute(
            select(func.min(case((leased, now + LOOK_S), else_=_due_at(now))))
            .join(campaign, campaign.c.id == chunk.c.campaign_id)
            .where(
                chunk.c.campaign_id == campaign_id,
                chunk.c.state != ChunkState.DONE,
                campaign.c.state == CampaignState.SENDING,
            )
        ).scalar()
        return None if due is None else max(0.0, due - now)


def is_done(connection: Connection, campaign_id: int) -> bool:
    """Whether every delivery of a planned campaign is final: no chunk is left."""
    left = exists().where(chunk.c.campaign_id == campaign_id, chunk.c.state != ChunkState.DONE)
    return not connection.execute(select(left)).scalar_one()
