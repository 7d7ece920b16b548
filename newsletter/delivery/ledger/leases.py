"""The ledger: claim, offer, settle, finish. Correctness lives here, in no engine.

A chunk is worked on under a lease with a fence number: whoever takes it over raises the number,
and the former owner can offer nothing more. Every delivery is offered at most once per chunk, the
watermark over it is committed before its first byte goes out, and it comes into another chunk only
when it is known not to have been taken.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from newsletter.audience.tables import mailing_list
from newsletter.delivery.ledger.attempts import Place, append, append_late, append_skips, requeue
from newsletter.delivery.ledger.chunks import claimable
from newsletter.delivery.ledger.eligibility import choose, eligible
from newsletter.delivery.ledger.outcomes import all_answered, in_doubt
from newsletter.delivery.ledger.rate import NO_RATES, Rates, Throttle
from newsletter.delivery.ledger.retry import DEFAULT_POLICY, RetryPolicy
from newsletter.delivery.ledger.tables import campaign, chunk
from newsletter.delivery.model import Delivery, Origin, Outcome, Result
from newsletter.store.engine import Store

LEASE_S = 120.0
"""Longer than the slowest batch takes between two heartbeats."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to offer from one chunk, until somebody else raises its fence.

    ``created_at`` is the campaign's.
    """

    campaign_id: int
    chunk_id: int
    kind: str
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


def _no_journal(_lease: Lease) -> None:
    """For who sends nothing."""


def claim(
    store: Store,
    campaign_id: int,
    owner: str,
    *,
    chunk_id: int | None = None,
    begin: Callable[[Lease], None] = _no_journal,
) -> Lease | None:
    """Take a chunk that is due: retries before what nobody has seen yet.

    Args:
        owner: Who works on it, for people to read.
        chunk_id: Only this one; the next of the campaign by default.
        begin: Opens the journal, before anybody can see the lease: whoever sees it finds the
            journal, and can tell whether its owner lives.

    Returns:
        None when nothing is due, somebody else has it, or the campaign does not send.
    """
    with store.write() as connection:
        now = store.now(connection)
        query = claimable(now).where(chunk.c.campaign_id == campaign_id)
        query = query.add_columns(campaign.c.created_at)
        if chunk_id is not None:
            query = query.where(chunk.c.id == chunk_id)
        row = connection.execute(query.limit(1).with_for_update(skip_locked=True, of=chunk)).first()
        if row is None:
            return None
        name = secrets.token_hex(16)
        lease = Lease(campaign_id, row.id, row.kind, row.fence + 1, name, row.created_at)
        connection.execute(
            update(chunk)
            .where(chunk.c.id == row.id)
            .values(
                state="leased",
                owner=owner,
                journal=lease.journal,
                fence=lease.fence,
                lease_until=now + LEASE_S,
            )
        )
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

    Whoever was suppressed or has unsubscribed by now is skipped with the reason. Once this
    returns, what it offers may go out; until then nothing of it may.

    Args:
        limit: Deliveries at most: what goes out in about a second.
        outcomes: Of earlier offers under this lease.
        rates: What is offered is reserved from these in the same commit.
    """
    with store.write() as connection:
        now = store.now(connection)
        row = _record(connection, lease, outcomes, now)
        if row is None or row.campaign_state != "sending":
            return ReservedBatch(halted=True)
        throttle = Throttle(connection, rates, now) if rates else None
        room = throttle.room(limit) if throttle else limit
        found = eligible(connection, row, room) if room else []
        choice = choose(found, throttle, kind=row.kind)
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
        return bool(row.campaign_state == "sending")


def release(store: Store, lease: Lease, outcomes: Sequence[Outcome], rest: float = 0.0) -> None:
    """Store outcomes and give the chunk back; what was not offered stays queued.

    Args:
        rest: Seconds until it may be claimed again.
    """
    _end(store, lease, outcomes, "ready", DEFAULT_POLICY, rest)


def finish(
    store: Store,
    lease: Lease,
    outcomes: Sequence[Outcome],
    *,
    policy: RetryPolicy = DEFAULT_POLICY,
) -> None:
    """Store outcomes, close an exhausted chunk, and regroup what is to be tried again."""
    _end(store, lease, outcomes, "done", policy)


def _end(
    store: Store,
    lease: Lease,
    outcomes: Sequence[Outcome],
    state: str,
    policy: RetryPolicy,
    rest: float = 0.0,
) -> None:
    with store.write() as connection:
        now = store.now(connection)
        row = _record(connection, lease, outcomes, now)
        if row is None:
            return
        if not all_answered(connection, row):
            _mark_unanswered(connection, lease, now)
        connection.execute(
            update(chunk)
            .where(chunk.c.id == lease.chunk_id)
            .values(
                state=state, owner="", lease_until=0, due_at=now + rest if rest else chunk.c.due_at
            )
        )
        if state == "done":
            requeue(connection, lease.place, now, policy=policy)


def _mark_unanswered(connection: Connection, lease: Lease, now: float) -> None:
    """Nothing that was offered may be left without an attempt: what has no outcome is uncertain."""
    doubtful = in_doubt(lease.campaign_id, lease.chunk_id).subquery()
    positions = connection.execute(select(doubtful.c.position)).scalars()
    silent = [Outcome(position, Result.UNCERTAIN) for position in positions]
    append(connection, lease.place, silent, now)


def _record(
    connection: Connection, lease: Lease, outcomes: Sequence[Outcome], now: float
) -> Row[Any] | None:
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
        .with_for_update(of=chunk)
    ).one()
    if row.fence == lease.fence and row.state == "leased":
        append(connection, lease.place, outcomes, now)
        return row
    record_late_outcomes(connection, lease.place, row.state, outcomes, now)
    return None


def record_late_outcomes(
    connection: Connection, place: Place, state: str, outcomes: Sequence[Outcome], now: float
) -> None:
    """Store what came after a lease was lost: it counts for what is still uncertain.

    Args:
        state: The chunk's, whose row is locked. One that is not done regroups when it ends.
    """
    late = append_late(connection, place, outcomes, now)
    if state == "done" and late:
        requeue(connection, place, now, positions=[outcome.position for outcome in late])
