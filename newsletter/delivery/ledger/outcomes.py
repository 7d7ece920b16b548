"""The outcome of every delivery: the one place that decides it.

What `status`, reports, their CSV, the metrics and `subscribers show` print is counted or listed
here, from the same `known_outcomes`, so that they cannot disagree. The counts add up to the
audience, whatever happened.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from math import inf
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Double,
    FromClause,
    Integer,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    text,
    union_all,
)

from newsletter.delivery.ledger.attempts import SKIPPED
from newsletter.delivery.ledger.chunks import LeasedChunk
from newsletter.delivery.ledger.sending_lock import is_sending
from newsletter.delivery.ledger.states import CampaignState, ChunkKind, ChunkState
from newsletter.delivery.ledger.tables import attempt, campaign, chunk, chunk_member, delivery
from newsletter.delivery.model import Result

Number = int | ColumnElement[int]
"""A number, or its parameter in a query that is built once."""


class DeliveryState(StrEnum):
    """The state of a delivery. All but the last are of recipients to be mailed."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    QUEUED = "queued"
    """Nothing was sent yet, or what is being sent right now has no reply yet."""
    SKIPPED = "skipped"


CANCELLED = "cancelled"
"""Why a cancelled campaign skipped the recipients it had not reached."""
TRIED = (Result.ACCEPTED, Result.DEFERRED, Result.FAILED, Result.UNCERTAIN)
"""The results of attempts that were made."""


@dataclass(frozen=True, slots=True)
class OutcomeCounts:
    """How many deliveries are in which state; ``skipped`` counts by reason."""

    audience: int = 0
    accepted: int = 0
    deferred: int = 0
    failed: int = 0
    uncertain: int = 0
    queued: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def mailable(self) -> int:
        """Audience minus skipped."""
        return self.audience - sum(self.skipped.values())

    def of(self, state: DeliveryState) -> int:
        """How many are in one state."""
        if state is DeliveryState.SKIPPED:
            return sum(self.skipped.values())
        return int(getattr(self, state))


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """The state of one delivery, and the reply or reason behind it.

    ``at`` is when that was known (Unix seconds), ``attempts`` how often it was tried.
    """

    position: int
    email: str
    state: DeliveryState
    code: int | None = None
    status: str = ""
    reply: str = ""
    at: float | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class UncertainDelivery:
    """One uncertain delivery: since when, of which chunk, and what is known about it."""

    position: int
    email: str
    at: float
    chunk_id: int
    known: str


def count_outcomes(connection: Connection, campaign_id: int) -> OutcomeCounts:
    """Count the states of a campaign's deliveries."""
    in_snapshot = connection.execute(
        select(delivery.c.skipped, func.count())
        .where(delivery.c.campaign_id == campaign_id)
        .group_by(delivery.c.skipped)
    ).all()
    known = known_outcomes(connection, campaign_id)
    reason = case((known.c.state == SKIPPED, known.c.reply), else_="")
    counted = connection.execute(
        select(known.c.state, reason, func.count()).group_by(known.c.state, reason)
    ).all()
    states = {state: count for state, _, count in counted if state != SKIPPED}
    skipped = {reason: count for reason, count in in_snapshot if reason}
    for state, reason, count in counted:
        if state == SKIPPED:
            skipped[reason] = skipped.get(reason, 0) + count
    audience = sum(count for _, count in in_snapshot)
    # All others are queued; joining every delivery with its attempts just to count them costs far
    # more.
    queued = audience - sum(skipped.values()) - sum(states.values())
    if _cancelled_at(connection, campaign_id) is not None:
        # Nobody is queued anymore, except where a message is under way.
        waiting, queued = queued, len(_awaited(connection, campaign_id))
        skipped |= {CANCELLED: waiting - queued} if waiting > queued else {}
    return OutcomeCounts(audience, queued=queued, skipped=dict(sorted(skipped.items())), **states)


def delivery_outcomes(
    connection: Connection, campaign_id: int, position: int | None = None
) -> Iterator[DeliveryOutcome]:
    """The outcome of each delivery of a campaign, by position.

    Args:
        position: Only this one.
    """
    cancelled_at = _cancelled_at(connection, campaign_id)
    awaited = frozenset() if cancelled_at is None else _awaited(connection, campaign_id)
    given = {
        "of_campaign": campaign_id,
        "of_position": position,
        "gone_before": _gone_before(connection),
    }
    rows = connection.execute(_outcome_query(one=position is not None), given)
    for place, email, state, code, status, reply, at, number in rows:
        if state is not None:
            known_state = DeliveryState(state)
            yield DeliveryOutcome(place, email, known_state, code, status, reply, at, number)
        elif cancelled_at is None or place in awaited:
            yield DeliveryOutcome(place, email, DeliveryState.QUEUED, attempts=number)
        else:
            ended = DeliveryState.SKIPPED
            yield DeliveryOutcome(
                place, email, ended, reply=CANCELLED, at=cancelled_at, attempts=number
            )


@cache
def _outcome_query(*, one: bool) -> Select[Any]:
    """The query of `delivery_outcomes`, built once: a subscriber's history runs it per issue."""
    campaign_id = bindparam("of_campaign", type_=Integer)
    position = bindparam("of_position", type_=Integer) if one else None
    known = _known(campaign_id, bindparam("gone_before", type_=Double), position)
    tries = (
        select(func.count())
        .where(
            attempt.c.campaign_id == delivery.c.campaign_id,
            attempt.c.position == delivery.c.position,
            attempt.c.result.in_(TRIED),
        )
        .scalar_subquery()
    )
    query = (
        select(
            delivery.c.position,
            delivery.c.email,
            case((delivery.c.skipped != "", SKIPPED), else_=known.c.state),
            known.c.code,
            func.coalesce(known.c.status, ""),
            case((delivery.c.skipped != "", delivery.c.skipped), else_=known.c.reply),
            known.c.at,
            tries,
        )
        .outerjoin(known, known.c.position == delivery.c.position)
        .where(delivery.c.campaign_id == campaign_id)
        .order_by(delivery.c.position)
    )
    if position is not None:
        return query.where(delivery.c.position == position)
    return query.execution_options(yield_per=1000)


def uncertain_deliveries(connection: Connection, campaign_id: int) -> list[UncertainDelivery]:
    """The uncertain deliveries of a campaign that can be resolved, by position.

    What a dead sender left is among them once `recover` has run.
    """
    known = known_outcomes(connection, campaign_id)
    rows = connection.execute(
        select(delivery.c.position, delivery.c.email, known.c.at, known.c.chunk_id, known.c.reply)
        .join(known, known.c.position == delivery.c.position)
        .where(
            delivery.c.campaign_id == campaign_id,
            known.c.state == DeliveryState.UNCERTAIN,
            known.c.at.is_not(None),
        )
        .order_by(delivery.c.position)
    )
    return [UncertainDelivery(*row) for row in rows]


def known_outcomes(connection: Connection, campaign_id: int) -> Subquery:
    """The deliveries of a campaign that are not queued: one row each, from the attempt that counts.

    That is the accepted one, else the last; but a delivery that was offered since by a dead sender
    is uncertain. All others are queued, or skipped once the campaign is cancelled.

    Returns:
        Columns ``position``, ``chunk_id``, ``state`` (a `DeliveryState`), ``code``, ``status``,
        ``reply`` and ``at``, which is null if no attempt is written yet.
    """
    return _known(campaign_id, _gone_before(connection))


def _known(
    campaign_id: Number,
    gone_before: float | ColumnElement[float],
    position: Number | None = None,
) -> Subquery:
    offered = unanswered(campaign_id, position=position).subquery("offered")
    gone = (
        select(offered.c.position)
        .join(chunk, chunk.c.id == offered.c.chunk_id)
        .where(chunk.c.lease_until < gone_before)
    )
    other = attempt.alias("other")
    # An acceptance outweighs whatever follows: it may itself be a late reply that arrived after
    # the delivery was requeued.
    is_accepted, other_accepted = (table.c.result == Result.ACCEPTED for table in (attempt, other))
    # Of two chunks, the one with the greater number was created later; clocks may differ.
    is_later = other.c.chunk_id > attempt.c.chunk_id
    beaten = exists().where(
        other.c.campaign_id == attempt.c.campaign_id,
        other.c.position == attempt.c.position,
        other.c.chunk_id != attempt.c.chunk_id,
        or_(and_(other_accepted, or_(~is_accepted, is_later)), and_(~is_accepted, is_later)),
    )
    cancelled = exists().where(
        campaign.c.id == campaign_id, campaign.c.state == CampaignState.CANCELLED
    )
    # Their next attempt is still to come, unless the campaign is cancelled.
    waits = or_(
        attempt.c.result == Result.RETURNED, and_(attempt.c.result == Result.DEFERRED, cancelled)
    )
    mine = [attempt.c.campaign_id == campaign_id]
    if position is not None:
        mine.append(attempt.c.position == position)
    counting = select(
        attempt.c.position,
        attempt.c.chunk_id,
        attempt.c.result.label("state"),
        attempt.c.code,
        attempt.c.status,
        attempt.c.reply,
        attempt.c.at,
    ).where(*mine, ~beaten, ~waits, or_(is_accepted, attempt.c.position.not_in(gone)))
    accepted = exists().where(*mine, attempt.c.position == offered.c.position, is_accepted)
    uncertain = gone.add_columns(
        offered.c.chunk_id,
        literal(Result.UNCERTAIN.value),
        null().cast(Integer),
        literal(""),
        literal(""),
        null().cast(Double),
    ).where(~accepted)
    return union_all(counting, uncertain).subquery("known")


def taken_or_uncertain(row: FromClause) -> ColumnElement[bool]:
    """Whether a row of `delivery` (or an alias of it) was mailed, or may have been.

    An attempt that is under way counts as "may have been".
    """
    taken = exists().where(
        attempt.c.campaign_id == row.c.campaign_id,
        attempt.c.position == row.c.position,
        attempt.c.result.in_((Result.ACCEPTED, Result.UNCERTAIN)),
    )
    in_range = and_(
        chunk.c.kind == ChunkKind.FIRST, row.c.position.between(chunk.c.first, chunk.c.offered)
    )
    listed = and_(
        chunk.c.kind != ChunkKind.FIRST,
        exists()
        .where(
            chunk_member.c.chunk_id == chunk.c.id,
            chunk_member.c.position == row.c.position,
            chunk_member.c.index <= chunk.c.offered,
        )
        .correlate(chunk, row),
    )
    answered = exists().where(
        attempt.c.campaign_id == row.c.campaign_id,
        attempt.c.position == row.c.position,
        attempt.c.chunk_id == chunk.c.id,
    )
    under_way = exists().where(
        chunk.c.campaign_id == row.c.campaign_id,
        chunk.c.state == ChunkState.LEASED,
        row.c.skipped == "",
        or_(in_range, listed),
        ~answered.correlate(chunk, row),
    )
    return or_(taken, under_way)


def under_way(connection: Connection, campaign_id: int) -> int:
    """How many deliveries live senders have offered that have no outcome yet."""
    moving = _under_way(connection, campaign_id).subquery()
    return int(connection.execute(select(func.count()).select_from(moving)).scalar_one())


def _under_way(connection: Connection, campaign_id: int) -> Select[int]:
    offered = unanswered(campaign_id).subquery("moving")
    return (
        select(offered.c.position)
        .join(chunk, chunk.c.id == offered.c.chunk_id)
        .where(chunk.c.lease_until >= _gone_before(connection))
    )


def _awaited(connection: Connection, campaign_id: int) -> frozenset[int]:
    """The positions of queued deliveries that are under way."""
    known = known_outcomes(connection, campaign_id)
    moving = _under_way(connection, campaign_id).subquery()
    waiting = moving.c.position.not_in(select(known.c.position))
    return frozenset(connection.execute(select(moving.c.position).where(waiting)).scalars())


def unanswered(
    campaign_id: Number, chunk_id: int | None = None, *, position: Number | None = None
) -> CompoundSelect[int, int]:
    """The deliveries that were offered and have no attempt yet: ``chunk_id``, ``position``.

    Args:
        chunk_id: Only this chunk's; every leased one's by default.
        position: Only this one.
    """
    chosen = [
        chunk.c.campaign_id == campaign_id,
        chunk.c.id == chunk_id if chunk_id is not None else chunk.c.state == ChunkState.LEASED,
    ]
    in_range = (
        select(chunk.c.id.label("chunk_id"), delivery.c.position)
        .join(
            delivery,
            and_(
                delivery.c.campaign_id == chunk.c.campaign_id,
                delivery.c.position.between(chunk.c.first, chunk.c.offered),
            ),
        )
        .where(
            *chosen,
            chunk.c.kind == ChunkKind.FIRST,
            delivery.c.skipped == "",
            ~_attempted(campaign_id, delivery.c.position, attempt.c.chunk_id == chunk.c.id),
        )
    )
    member = chunk_member.c.position
    listed = (
        select(chunk.c.id.label("chunk_id"), member)
        .join(
            chunk_member,
            and_(chunk_member.c.chunk_id == chunk.c.id, chunk_member.c.index <= chunk.c.offered),
        )
        .where(
            *chosen,
            chunk.c.kind != ChunkKind.FIRST,
            # Settled by a late reply before, so this chunk did not offer it.
            ~_attempted(campaign_id, member, attempt.c.result == Result.ACCEPTED),
            ~_attempted(campaign_id, member, attempt.c.chunk_id == chunk.c.id),
        )
    )
    if position is not None:
        in_range = in_range.where(delivery.c.position == position)
        listed = listed.where(member == position)
    return union_all(in_range, listed)


def _attempted(
    campaign_id: Number, position: ColumnElement[int], which: ColumnElement[bool]
) -> ColumnElement[bool]:
    return exists().where(
        attempt.c.campaign_id == campaign_id, attempt.c.position == position, which
    )


def all_answered(connection: Connection, row: LeasedChunk) -> bool:
    """Whether `unanswered` certainly finds nothing in a chunk of first attempts: two counts.

    False for chunks that list their members, whatever their deliveries.
    """
    if row.kind is not ChunkKind.FIRST:
        return False
    offered = (
        delivery.c.campaign_id == row.campaign_id,
        delivery.c.position.between(row.first, row.offered),
        delivery.c.skipped == "",
    )
    answered = (
        attempt.c.campaign_id == row.campaign_id,
        attempt.c.position.between(row.first, row.offered),
        attempt.c.chunk_id == row.id,
    )
    # Each attempt of this chunk in the range is for a delivery that it offered, at most one for
    # each: if the numbers are equal, none is missing.
    wanted, found = (
        select(func.count()).select_from(table).where(*which).scalar_subquery()
        for table, which in ((delivery, offered), (attempt, answered))
    )
    return bool(connection.execute(select(wanted == found)).scalar_one())


def _cancelled_at(connection: Connection, campaign_id: int) -> float | None:
    """When a campaign was cancelled (Unix seconds); None if it was not."""
    ended = func.coalesce(campaign.c.finished_at, campaign.c.created_at)
    found: float | None = connection.execute(
        select(ended).where(
            campaign.c.id == campaign_id, campaign.c.state == CampaignState.CANCELLED
        )
    ).scalar()
    return found


def _gone_before(connection: Connection) -> float:
    """Leases that end before this time belong to dead senders.

    On SQLite the lock of the sending process decides, on PostgreSQL the database's clock.
    """
    if connection.dialect.name == "sqlite":
        return -inf if is_sending(connection.engine) else inf
    clock = connection.execute(text("SELECT extract(epoch FROM clock_timestamp())"))
    return float(clock.scalar_one() or time.time())
