"""Chunks: an audience divided among any number of workers, and which of them are waiting."""

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
"""How often to look after what another worker has in hand."""
LONGEST_REST_S = 600.0
"""A rest for the sake of a rate is shorter, and a retry waits less than twice the longest delay.

What waits for longer was put off before the clock was set back."""
CHUNKS = 24
SMALLEST = 500
_LONGEST = {
    ChunkKind.LIMITED: LONGEST_REST_S,
    ChunkKind.RETRY: 2 * DEFAULT_POLICY.longest_delay,
}


class LeasedChunk(NamedTuple):
    """A chunk as the owner of its lease sees it, beside what its campaign is.

    ``list_id`` is the list that the campaign goes to; None once there is no such list.
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
        connection: A write transaction, best the one that took the snapshot.
        campaign_id: Whose audience; it must not be planned already.
        size: Deliveries in one chunk; 0 takes what suits the database and the audience.
        canary: How many are to have their outcome before anybody else is offered anything.
    """
    last = connection.execute(
        select(func.max(delivery.c.position)).where(delivery.c.campaign_id == campaign_id)
    ).scalar()
    if not size:
        # On PostgreSQL enough chunks for many workers, each long enough to be worth a lease.
        shared = min(max((last or 0) // CHUNKS, SMALLEST), MEMBERS)
        size = MEMBERS if connection.dialect.name == "sqlite" else shared
    ahead = _set_canary(connection, campaign_id, canary) if canary else 0
    starts = [*([1] if ahead else []), *range(ahead + 1, (last or 0) + 1, size)]
    ends = [*(start - 1 for start in starts[1:]), last or 0]
    # Positions of those skipped in the snapshot are in the ranges, too: an offer passes over them.
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


def _set_canary(connection: Connection, campaign_id: int, number: int) -> int:
    """The position up to which the first ``number`` of the mailable are; 0 if there are fewer."""
    position = connection.execute(
        select(delivery.c.position)
        .where(delivery.c.campaign_id == campaign_id, delivery.c.skipped == "")
        .order_by(delivery.c.position)
        .offset(number - 1)
        .limit(1)
    ).scalar()
    connection.execute(
        update(campaign).where(campaign.c.id == campaign_id).values(canary=position or 0)
    )
    return position or 0


def claimable(now: float) -> Select[int]:
    """The chunks that anybody may claim: retries before what nobody has been offered yet.

    Args:
        now: Unix seconds, by `newsletter.store.engine.Store.now`.
    """
    ahead = chunk.alias("ahead")
    # What is deferred in the canary has a chunk of its own: only first answers are waited for.
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
    """The chunks that anybody may claim, by number.

    Args:
        connection: Any connection.
        transport: Only of campaigns that go by it.
        now: As `claimable`.
    """
    query = claimable(now).where(campaign.c.transport == transport)
    return list(connection.execute(query).scalars())


def seconds_until_due(store: Store, campaign_id: int) -> float | None:
    """How long until there may be something to do; None when nothing waits or the campaign halts.

    What another worker has in hand may come back at any time: that is looked after every second.
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
