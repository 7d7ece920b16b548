"""Leases: claim a chunk, reserve batches of it, record outcomes, finish.

A chunk is sent under a lease with a fence number: a worker that takes it over raises the number,
and the former owner can offer nothing more. Every delivery is offered at most once per chunk, the
watermark over it is committed before its first byte is sent, and it is moved to another chunk only
if it is known not to have been accepted. None of this depends on how chunks are handed out.
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
"""Longer than the slowest batch between two heartbeats."""
_NO_LEASE: dict[str, str | float] = {"owner": "", "lease_until": 0.0}


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to offer from one chunk, until another worker raises its fence.

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
        """The first line of its journal."""
        return Origin(self.campaign_id, self.created_at, self.chunk_id)

    @property
    def place(self) -> Place:
        """Where its attempts are written."""
        return Place(self.campaign_id, self.chunk_id)


@dataclass(frozen=True, slots=True)
class ReservedBatch:
    """What may be sent now.

    ``skipped`` may never be mailed, ``over`` not now. ``wait``: seconds until it is worth asking
    again; ``rest``: until it is worth claiming this chunk again, since a rate is used up.
    ``exhausted``: the chunk has nothing more. ``halted``: the campaign does not send (it may be
    paused), or the lease is lost.
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
    """Claim a chunk that is due: retries before first attempts.

    Args:
        owner: The name of the sender, for people to read.
        chunk_id: Only this one; the next of the campaign by default.
        begin: Opens the journal before anyone can see the lease, so that others always find it and
            can tell whether the owner is alive. None for callers that send nothing.

    Returns:
        None if nothing is due, another worker has it, or the campaign does not send.
    """
    with store.write() as connection:
        now = store.now(connection)
        query = claimable(now).where(chunk.c.campaign_id == campaign_id)
        query = query.add_columns(chunk.c.kind, chunk.c.fence, campaign.c.created_at)
        if chunk_id is not None:
            query = query.where(chunk.c.id == chunk_id)
        # Workers claim at the same moment: each skips what another has locked.
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
            # Within the transaction: if it fails, there is no lease without a journal.
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

    Recipients who may no longer be mailed are skipped with the reason. What it offers may be sent
    once this returns, and not before.

    Args:
        limit: Deliveries at most: about what is sent in a second.
        outcomes: Outcomes of earlier offers under this lease.
        rates: The offer is reserved from these limits in the same commit.
    """
    with store.write() as connection:
        now = store.now(connection)
        row = _record(connection, lease, outcomes, now)
        if row is None or row.campaign_state is not CampaignState.SENDING:
            return ReservedBatch(halted=True)
        throttle = Throttle(connection, rates, now) if rates else None
        room = throttle.room(limit) if throttle else limit
        # In the transaction of the offer: who unsubscribes before it commits is not mailed.
        found = find_candidates(connection, row, room) if room else []
        choice = choose(found, throttle, kind=row.kind)
        # Fewer than there was room for: the chunk has no more mailable recipients.
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
        Whether more may be offered: the lease is valid, and the campaign sends.
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
    """Store outcomes and release the chunk; what was not offered stays queued.

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
    """Store the last outcomes under a lease; False if it is lost."""
    row = _record(connection, lease, outcomes, now)
    if row is None:
        return False
    # Two counts, instead of a search among thousands of answered deliveries.
    if not all_answered(connection, row):
        mark_unanswered(connection, lease.place, now)
    return True


def mark_unanswered(
    connection: Connection,
    place: Place,
    now: float,
    explain: Callable[[int], Outcome] = lambda position: Outcome(position, Result.UNCERTAIN),
) -> None:
    """Write an attempt for everything that a chunk offered and that has none.

    Args:
        explain: Gives the outcome of a position, as far as known; by default it is uncertain.
    """
    silent = unanswered(place.campaign_id, place.chunk_id).subquery()
    positions = connection.execute(select(silent.c.position)).scalars()
    append(connection, place, [explain(position) for position in positions], now)


def _record(
    connection: Connection, lease: Lease, outcomes: Sequence[Outcome], now: float
) -> LeasedChunk | None:
    """Store outcomes; return the chunk, or None if the lease is lost."""
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
        # Only the chunk: locking the campaign as well would serialize all workers.
        .with_for_update(of=chunk)
    ).one()
    # A higher fence means that another worker has taken the chunk over in the meantime.
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
    """Store outcomes that arrive after a lease was lost, for deliveries still uncertain.

    Args:
        state: The state of the chunk, whose row is locked.
    """
    late = append_late(connection, place, outcomes, now)
    # Unless it is done, the chunk's present owner requeues these with all others at its end.
    if state is ChunkState.DONE and late:
        requeue(connection, place, now, positions=[outcome.position for outcome in late])
