"""What became of everyone. The counts add up to the audience, whatever happened."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Double,
    FromClause,
    Integer,
    Row,
    Select,
    Subquery,
    and_,
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
from newsletter.delivery.ledger.sending_lock import is_sending
from newsletter.delivery.ledger.tables import attempt, campaign, chunk, chunk_member, delivery
from newsletter.delivery.model import Result

QUEUED = "queued"
CANCELLED = "cancelled"
"""State of a campaign, and why it skipped whom it had not reached."""
ENDED = (Result.ACCEPTED, Result.DEFERRED, Result.FAILED, Result.UNCERTAIN)
"""Results of attempts that were made."""


@dataclass(frozen=True, slots=True)
class OutcomeCounts:
    """How many are in which state; ``skipped`` counts by reason."""

    audience: int = 0
    accepted: int = 0
    deferred: int = 0
    failed: int = 0
    uncertain: int = 0
    queued: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """What became of one delivery: its state, and the reply or reason behind it.

    ``at`` is when that was known (Unix seconds), ``attempts`` how often it was tried.
    """

    position: int
    email: str
    state: str
    code: int | None = None
    status: str = ""
    reply: str = ""
    at: float | None = None
    attempts: int = 0


def count_outcomes(connection: Connection, campaign_id: int) -> OutcomeCounts:
    """Count the states of a campaign's deliveries."""
    frozen = connection.execute(
        select(delivery.c.skipped, func.count())
        .where(delivery.c.campaign_id == campaign_id)
        .group_by(delivery.c.skipped)
    ).all()
    latest = latest_attempts(connection, campaign_id)
    reason = case((latest.c.result == SKIPPED, latest.c.reply), else_="")
    counted = connection.execute(
        select(latest.c.result, reason, func.count()).group_by(latest.c.result, reason)
    ).all()
    states = {result: count for result, _, count in counted if result != SKIPPED}
    skipped = {reason: count for reason, count in frozen if reason}
    for result, reason, count in counted:
        if result == SKIPPED:
            skipped[reason] = skipped.get(reason, 0) + count
    audience = sum(count for _, count in frozen)
    ended = {state.value: states.get(state, 0) for state in ENDED}
    queued = audience - sum(skipped.values()) - sum(ended.values())
    if is_cancelled(connection, campaign_id):
        waiting = queued + ended[Result.DEFERRED.value]
        queued = min(waiting, under_way(connection, campaign_id))
        ended[Result.DEFERRED.value] = 0
        skipped |= {CANCELLED: waiting - queued} if waiting > queued else {}
    return OutcomeCounts(
        audience=audience, queued=queued, skipped=dict(sorted(skipped.items())), **ended
    )


def is_cancelled(connection: Connection, campaign_id: int) -> bool:
    """Whether a campaign was called off: whoever waits for it waits for nothing."""
    state = connection.execute(select(campaign.c.state).where(campaign.c.id == campaign_id))
    return state.scalar() == CANCELLED


def delivery_outcomes(connection: Connection, campaign_id: int) -> Iterator[DeliveryOutcome]:
    """What became of each delivery, by position."""
    latest = latest_attempts(connection, campaign_id)
    tries = (
        select(func.count())
        .where(
            attempt.c.campaign_id == delivery.c.campaign_id,
            attempt.c.position == delivery.c.position,
            attempt.c.result.in_(ENDED),
        )
        .scalar_subquery()
        .label("tries")
    )
    cancelled = is_cancelled(connection, campaign_id)
    place = delivery.c.position.label("place")
    rows = connection.execution_options(yield_per=1000).execute(
        select(delivery.c.email, delivery.c.skipped, place, tries, latest)
        .outerjoin(latest, latest.c.position == delivery.c.position)
        .where(delivery.c.campaign_id == campaign_id)
        .order_by(delivery.c.position)
    )
    for row in rows:
        if row.skipped:
            yield DeliveryOutcome(row.place, row.email, SKIPPED, reply=row.skipped)
        elif cancelled and row.result in {None, Result.RETURNED, Result.DEFERRED}:
            yield DeliveryOutcome(
                row.place, row.email, SKIPPED, reply=CANCELLED, attempts=row.tries
            )
        elif row.result in {None, Result.RETURNED}:
            yield DeliveryOutcome(row.place, row.email, QUEUED, attempts=row.tries)
        else:
            known = (row.result, row.code, row.status, row.reply, row.at, row.tries)
            yield DeliveryOutcome(row.place, row.email, *known)


def taken_or_uncertain(row: FromClause) -> Any:
    """Whether a row of `delivery` (or an alias of it) was mailed, or may have been.

    An attempt that is under way counts as one that may have been.
    """
    taken = exists().where(
        attempt.c.campaign_id == row.c.campaign_id,
        attempt.c.position == row.c.position,
        attempt.c.result.in_((Result.ACCEPTED, Result.UNCERTAIN)),
    )
    in_range = and_(chunk.c.kind == "first", row.c.position.between(chunk.c.first, chunk.c.offered))
    listed = and_(
        chunk.c.kind != "first",
        exists()
        .where(
            chunk_member.c.chunk_id == chunk.c.id,
            chunk_member.c.position == row.c.position,
            chunk_member.c.index <= chunk.c.offered,
        )
        .correlate(chunk, row),
    )
    under_way = exists().where(
        chunk.c.campaign_id == row.c.campaign_id,
        chunk.c.state == "leased",
        row.c.skipped == "",
        or_(in_range, listed),
        ~_attempted(row.c.campaign_id, row.c.position, chunk.c.id).correlate(chunk, row),
    )
    return or_(taken, under_way)


def under_way(connection: Connection, campaign_id: int) -> int:
    """How many were offered and have no outcome yet, by senders that are alive."""
    offered = in_doubt(campaign_id).subquery("offered")
    query = (
        select(func.count())
        .select_from(offered)
        .join(chunk, chunk.c.id == offered.c.chunk_id)
        .where(chunk.c.lease_until >= _gone_before(connection))
    )
    return int(connection.execute(query).scalar_one())


def in_doubt(campaign_id: int, chunk_id: int | None = None) -> CompoundSelect[Any]:
    """The deliveries that were offered and have no attempt yet: ``chunk_id``, ``position``.

    Args:
        chunk_id: Only this chunk; every leased one by default.
    """
    chosen = chunk.c.id == chunk_id if chunk_id is not None else chunk.c.state == "leased"
    return union_all(_in_doubt_range(campaign_id, chosen), _in_doubt_listed(campaign_id, chosen))


def all_answered(connection: Connection, row: Row[Any]) -> bool:
    """Whether `in_doubt` would surely find nothing in a chunk on its first pass: two counts.

    Args:
        row: The chunk. Of one that lists its members this says nothing.
    """
    if row.kind != "first":
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
    wanted, found = (
        select(func.count()).select_from(table).where(*which).scalar_subquery()
        for table, which in ((delivery, offered), (attempt, answered))
    )
    return bool(connection.execute(select(wanted == found)).scalar_one())


def latest_attempts(connection: Connection, campaign_id: int) -> Subquery:
    """One row per delivery that has an attempt: the one that counts."""
    gone_before = _gone_before(connection)
    offered = in_doubt(campaign_id).subquery("offered")
    gone = (
        select(offered.c.position)
        .join(chunk, chunk.c.id == offered.c.chunk_id)
        .where(chunk.c.lease_until < gone_before)
    )
    other = attempt.alias("other")
    another = (
        other.c.campaign_id == attempt.c.campaign_id,
        other.c.position == attempt.c.position,
        other.c.chunk_id != attempt.c.chunk_id,
    )
    is_accepted, other_accepted = (table.c.result == Result.ACCEPTED for table in (attempt, other))
    is_later = other.c.chunk_id > attempt.c.chunk_id
    beaten = exists().where(
        *another,
        or_(and_(other_accepted, or_(~is_accepted, is_later)), and_(~is_accepted, is_later)),
    )
    known = select(
        attempt.c.position,
        attempt.c.result,
        attempt.c.code,
        attempt.c.status,
        attempt.c.reply,
        attempt.c.at,
    ).where(
        attempt.c.campaign_id == campaign_id,
        ~beaten,
        or_(is_accepted, attempt.c.position.not_in(gone)),
    )
    doubtful = gone.add_columns(
        literal(Result.UNCERTAIN.value),
        null().cast(Integer),
        literal(""),
        literal(""),
        null().cast(Double),
    ).where(
        ~exists().where(
            attempt.c.campaign_id == campaign_id,
            attempt.c.position == offered.c.position,
            is_accepted,
        )
    )
    return union_all(known, doubtful).subquery("latest")


def _in_doubt_range(campaign_id: int, chosen: ColumnElement[bool]) -> Select[Any]:
    return (
        select(chunk.c.id.label("chunk_id"), delivery.c.position)
        .join(
            delivery,
            and_(
                delivery.c.campaign_id == chunk.c.campaign_id,
                delivery.c.position.between(chunk.c.first, chunk.c.offered),
            ),
        )
        .where(
            chunk.c.campaign_id == campaign_id,
            chosen,
            chunk.c.kind == "first",
            delivery.c.skipped == "",
            ~_attempted(campaign_id, delivery.c.position, chunk.c.id),
        )
    )


def _in_doubt_listed(campaign_id: int, chosen: ColumnElement[bool]) -> Select[Any]:
    closed = exists().where(
        attempt.c.campaign_id == campaign_id,
        attempt.c.position == chunk_member.c.position,
        attempt.c.result == Result.ACCEPTED,
    )
    return (
        select(chunk.c.id.label("chunk_id"), chunk_member.c.position)
        .join(
            chunk_member,
            and_(chunk_member.c.chunk_id == chunk.c.id, chunk_member.c.index <= chunk.c.offered),
        )
        .where(
            chunk.c.campaign_id == campaign_id,
            chosen,
            chunk.c.kind != "first",
            ~closed,
            ~_attempted(campaign_id, chunk_member.c.position, chunk.c.id),
        )
    )


def _attempted(campaign_id: Any, position: Any, chunk_id: Any) -> Any:
    return exists().where(
        attempt.c.campaign_id == campaign_id,
        attempt.c.position == position,
        attempt.c.chunk_id == chunk_id,
    )


def _gone_before(connection: Connection) -> float:
    """Leases that end before this time belong to nobody any more.

    On SQLite the lock of the sending process says it, on PostgreSQL the database's clock.
    """
    if connection.dialect.name == "sqlite":
        return -inf if is_sending(connection.engine) else inf
    clock = connection.execute(text("SELECT extract(epoch FROM clock_timestamp())"))
    return float(clock.scalar_one() or time.time())
