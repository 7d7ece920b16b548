"""Leases: claim a chunk, reserve batches of it, record outcomes, finish.

A chunk is worked on under a lease with a fence number: whoever takes it over raises the number,
and the former owner can offer nothing more. Every delivery is offered at most once per chunk, the
watermark over it is committed before its first byte goes out, and it comes into another chunk only
when it is known not to have been taken. All of that holds whatever hands the chunks out.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from newsletter.audience.tables import mailing_list
from newsletter.delivery.ledger.attempts import Place, append, append_late, append_skips, requeue
from newsletter.delivery.ledger.chunks import LeasedChunk, claimable
from newsletter.delivery.ledger.eligibility import choose, find_candidates
from newsletter.delivery.ledger.outcomes import all_answered, unanswered
from newsletter.delivery.ledger.rate import NO_RATES, Rates, Throttle
from newsletter.delivery.ledger.retry import DEFAULT_POLICY, RetryPolicy
from newsletter.delivery.ledger.states import CampaignState, ChunkKind, ChunkState, move_chunk
from newsletter.delivery.ledger.tables import campaign, chunk
from newsletter.delivery.model import Delivery, Origin, Outcome, Result
from newsletter.store.engine import Store

LEASE_S = 120.0
"""Longer than the slowest batch takes between two heartbeats."""
_NO_LEASE: dict[str, str | float] = {"owner": "", "lease_until": 0.0}


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to offer from one chunk, until somebody else raises its fence.

    ``created_at`` is the campaign's.
    """

    campaign_id: int
    chunk_id: int
    kind: ChunkKind
    fence: int
    journal: str
    created_at: float

    @property
    def origin(self) -> Origin:
        """What its journal says of itself."""
        return Origin(self.campaign_id, self.created_at, self.chunk_id)

    @property
    def place(self) -> Place:
        """Where its attempts are written."""
        return Place(self.campaign_id, self.chunk_id)


@dataclass(frozen=True, slots=True)
class ReservedBatch:
    """What may go out now.

    ``skipped`` and ``over`` are passed for good or for now. ``wait``: seconds until it is worth
    asking again, ``rest``: until it is worth claiming this chunk again, since a rate is used up.
    ``exhausted``: the chunk has nothing more. ``halted``: the campaign does not send (paused, say)
    or the lease is lost.
    """

    deliveries: Sequence[Delivery] = ()
    skipped: Sequence[tuple[int, str]] = ()
    over: Sequence[Outcome] = ()
    wait: float = 0.0
    rest: float = 0.0
    exhausted: bool = False
    halted: bool = False


def claim(
    store: Store,
    campaign_id: int,
    owner: str,
    *,
    chunk_id: int | None = None,
    begin: Callable[[Lease], None] | None = None,
) -> Lease | None:
    """Take a chunk that is due: retries before what nobody has been offered yet.

    Args:
        owner: Who works on it, for people to read.
        chunk_id: Only this one; the next of the campaign by default.
        begin: Opens the journal, before anybody can see the lease: whoever sees it finds the
            journal, and can tell whether its owner lives. None for those who send nothing.

    Returns:
        None when nothing is due, somebody else has it, or the campaign does not send.
    """
    with store.write() as connection:
        now = store.now(connection)
        query = claimable(now).where(chunk.c.campaign_id == campaign_id)
        query = query.add_columns(chunk.c.kind, chunk.c.fence, campaign.c.created_at)
        if chunk_id is not None:
            query = query.where(chunk.c.id == chunk_id)
        # Others claim at the same moment: each passes over what another has locked.
        row = connection.execute(query.limit(1).with_for_update(skip_locked=True, of=chunk)).first()
        if row is None:
            return None
        lease = Lease(
            campaign_id,
            row.id,
            ChunkKind(row.kind),
            row.fence + 1,
            journal=secrets.token_hex(16),
            created_at=row.created_at,
        )
        move_chunk(
            connection,
            lease.chunk_id,
            ChunkState.LEASED,
            {
                "owner": owner,
                "journal": lease.journal,
                "fence": lease.fence,
                "lease_until": now + LEASE_S,
            },
        )
        if begin is not None:
            # Within the transaction: should it fail, there is no lease without a journal.
            begin(lease)
        return lease


def reserve_batch(
    store: Store,
    lease: Lease,
    limit: int,
    outcomes: Sequence[Outcome] = (),
    rates: Rates = NO_RATES,
) -> ReservedBatch:
    """Move the watermark over the next deliveries, and store outcomes in the same commit.

    Recipients who may not be mailed any more are skipped with the reason. Once this returns, what
    it offers may go out; until then nothing of it may.

    Args:
        limit: Deliveries at most: what goes out in about a second.
        outcomes: Of earlier offers under this lease.
        rates: What is offered is reserved from these in the same commit.
    """
    with store.write() as connection:
        now = store.now(connection)
        row = _record(connection, lease, outcomes, now)
        if row is None or row.campaign_state is not CampaignState.SENDING:
            return ReservedBatch(halted=True)
        throttle = Throttle(connection, rates, now) if rates else None
        room = throttle.room(limit) if throttle else limit
        found = find_candidates(connection, row, room) if room else []
        choice = choose(found, throttle, kind=row.kind)
        # Fewer than there is room for: no mailable recipient is left up to the chunk's end.
        exhausted = (len(found) < room and not choice.wait) or choice.member == row.last
        passed = row.last if exhausted else choice.member
        connection.execute(
            update(chunk)
            .where(chunk.c.id == lease.chunk_id)
            .values(
                offered=row.offered if passed is None else passed,
                lease_until=now + LEASE_S,
            )
        )
        append_skips(connection, lease.place, choice.skips, now)
        append(connection, lease.place, choice.over, now)
        if throttle:
            throttle.save()
        return ReservedBatch(
            choice.ready,
            choice.skips,
            choice.over,
            wait=throttle.wait if throttle and not room else 0.0,
            rest=choice.wait,
            exhausted=exhausted,
        )


def record_outcomes(store: Store, lease: Lease, outcomes: Sequence[Outcome]) -> bool:
    """Store outcomes and renew the lease.

    After the lease was lost, outcomes count only for what is still uncertain.

    Returns:
        Whether anything more may be offered: the lease holds, and the campaign sends.
    """
    with store.write() as connection:
        now = store.now(connection)
        row = _record(connection, lease, outcomes, now)
        if row is None:
            return False
        connection.execute(
            update(chunk).where(chunk.c.id == lease.chunk_id).values(lease_until=now + LEASE_S)
        )
        return row.campaign_state is CampaignState.SENDING


def release(store: Store, lease: Lease, outcomes: Sequence[Outcome], rest: float = 0.0) -> None:
    """Store outcomes and give the chunk back; what was not offered stays queued.

    Args:
        rest: Seconds until it may be claimed again.
    """
    with store.write() as connection:
        now = store.now(connection)
        if _end(connection, lease, outcomes, now):
            values = {"due_at": now + rest} if rest else {}
            move_chunk(connection, lease.chunk_id, ChunkState.READY, {**_NO_LEASE, **values})


def finish(
    store: Store,
    lease: Lease,
    outcomes: Sequence[Outcome],
    *,
    policy: RetryPolicy = DEFAULT_POLICY,
) -> None:
    """Store outcomes, close an exhausted chunk, and requeue what is to be tried again."""
    with store.write() as connection:
        now = store.now(connection)
        if _end(connection, lease, outcomes, now):
            move_chunk(connection, lease.chunk_id, ChunkState.DONE, _NO_LEASE)
            requeue(connection, lease.place, now, policy=policy)


def _end(connection: Connection, lease: Lease, outcomes: Sequence[Outcome], now: float) -> bool:
    """Store the last outcomes under a lease; False when it is lost."""
    row = _record(connection, lease, outcomes, now)
    if row is None:
        return False
    # Two counts, in place of a search among the thousands that have their answer.
    if not all_answered(connection, row):
        mark_unanswered(connection, lease.place, now)
    return True


def mark_unanswered(
    connection: Connection,
    place: Place,
    now: float,
    explain: Callable[[int], Outcome] = lambda position: Outcome(position, Result.UNCERTAIN),
) -> None:
    """Leave nothing that a chunk offered without an attempt.

    Args:
        explain: What is known of a position; by default nothing, so that it is uncertain.
    """
    silent = unanswered(place.campaign_id, place.chunk_id).subquery()
    positions = connection.execute(select(silent.c.position)).scalars()
    append(connection, place, [explain(position) for position in positions], now)


def _record(
    connection: Connection, lease: Lease, outcomes: Sequence[Outcome], now: float
) -> LeasedChunk | None:
    """Store outcomes; the chunk's row, or None when the lease is lost."""
    row = connection.execute(
        select(
            chunk,
            campaign.c.state.label("campaign_state"),
            select(mailing_list.c.id)
            .where(mailing_list.c.name == campaign.c.audience)
            .scalar_subquery()
            .label("list_id"),
        )
        .join(campaign, campaign.c.id == chunk.c.campaign_id)
        .where(chunk.c.id == lease.chunk_id)
        # The chunk alone: to lock the campaign as well would make all workers wait in line.
        .with_for_update(of=chunk)
    ).one()
    if row.fence != lease.fence or row.state != ChunkState.LEASED:
        state = ChunkState(row.state)
        record_late_outcomes(connection, lease.place, state, outcomes, now)
        return None
    append(connection, lease.place, outcomes, now)
    return LeasedChunk(
        row.id,
        row.campaign_id,
        lease.kind,
        row.first,
        row.last,
        row.offered,
        CampaignState(row.campaign_state),
        row.list_id,
    )


def record_late_outcomes(
    connection: Connection,
    place: Place,
    state: ChunkState,
    outcomes: Sequence[Outcome],
    now: float,
) -> None:
    """Store what came after a lease was lost: it counts for what is still uncertain.

    Args:
        state: The chunk's, whose row is locked.
    """
    late = append_late(connection, place, outcomes, now)
    # Whoever has the chunk now requeues these with all others, once it is done.
    if state is ChunkState.DONE and late:
        requeue(connection, place, now, positions=[outcome.position for outcome in late])
