"""Attempts: appended, and changed only when more is known about an uncertain one."""

from __future__ import annotations

import json
import logging
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    bindparam,
    cast,
    exists,
    func,
    insert,
    select,
    true,
    type_coerce,
    update,
)
from sqlalchemy.sql.dml import Insert

from newsletter.delivery.ledger.retry import DEFAULT_POLICY, Later, RetryPolicy, decide
from newsletter.delivery.ledger.states import ChunkKind, ChunkState, reopen_finished
from newsletter.delivery.ledger.tables import attempt, chunk, chunk_member
from newsletter.delivery.model import Outcome, Result
from newsletter.store.upsert import insert_into

SKIPPED = "skipped"
"""The result of an attempt that was not made: ``reply`` holds the reason."""
OVER_RATE = "over the rate of "
"""Precedes the domain in the ``reply`` of an attempt that was postponed by a rate limit."""
LONGEST_REPLY = 500
MEMBERS = 5000
"""Deliveries in one chunk."""

_CELLS = ("position", "result", "code", "status", "reply")

log = logging.getLogger(__name__)


class Place(NamedTuple):
    """The attempts of one chunk of a campaign."""

    campaign_id: int
    chunk_id: int

    @property
    def attempts(self) -> ColumnElement[bool]:
        """The rows of `attempt`."""
        return (attempt.c.campaign_id == self.campaign_id) & (attempt.c.chunk_id == self.chunk_id)


def append(connection: Connection, place: Place, outcomes: Iterable[Outcome], now: float) -> None:
    """Write outcomes; an existing one is replaced only if it was uncertain."""
    rows: dict[int, tuple[int, Result, int | None, str, str]] = {}
    for outcome in outcomes:
        known = rows.get(outcome.position)
        if known is None or known[1] == Result.UNCERTAIN:
            # PostgreSQL does not accept NUL in text.
            reply = outcome.reply[:LONGEST_REPLY].replace("\0", "")
            cells = (outcome.position, outcome.result, outcome.code, outcome.status[:16], reply)
            rows[outcome.position] = cells
    if rows:
        statement = _appending(connection.dialect.name)
        given = {**place._asdict(), "at": now, "rows": json.dumps(list(rows.values()))}
        connection.execute(statement, given)


@cache
def _appending(dialect: str) -> Insert:
    """The insert that takes all rows as one JSON value: a parameter per cell costs far more."""
    rows = bindparam("rows", type_=Text)
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import JSONB

        found = func.jsonb_array_elements(cast(rows, JSONB)).table_valued("value")
        row = type_coerce(found.c.value, JSONB)
        cells: list[ColumnElement[object]] = [
            cast(row[at].astext, attempt.c[name].type) for at, name in enumerate(_CELLS)
        ]
    else:
        found = func.json_each(rows).table_valued("value")
        cells = [func.json_extract(found.c.value, f"$[{at}]") for at in range(len(_CELLS))]
    alike = [bindparam(name, type_=attempt.c[name].type) for name in (*Place._fields, "at")]
    # Without a WHERE, SQLite would parse the ON of ON CONFLICT as part of a join.
    given = select(*alike, *cells).where(true())
    names = [*(parameter.key for parameter in alike), *_CELLS]
    statement = insert_into(dialect, attempt).from_select(names, given)
    return statement.on_conflict_do_update(
        index_elements=[attempt.c.campaign_id, attempt.c.position, attempt.c.chunk_id],
        set_={name: statement.excluded[name] for name in (*_CELLS[1:], "at")},
        where=attempt.c.result == Result.UNCERTAIN,
    )


def append_skips(
    connection: Connection, place: Place, skips: Sequence[tuple[int, str]], now: float
) -> None:
    """Record recipients who may no longer be mailed, as (position, reason)."""
    if skips:
        alike = {**place._asdict(), "result": SKIPPED, "at": now}
        rows = [{**alike, "position": position, "reply": reason} for position, reason in skips]
        connection.execute(insert(attempt), rows)


def append_late(
    connection: Connection, place: Place, outcomes: Sequence[Outcome], now: float
) -> list[Outcome]:
    """Settle what is still uncertain, after the lease was lost.

    Returns:
        The outcomes that were stored.
    """
    uncertain = set(
        connection.execute(
            select(attempt.c.position).where(
                place.attempts,
                attempt.c.result == Result.UNCERTAIN,
                attempt.c.position.in_([outcome.position for outcome in outcomes]),
            )
        ).scalars()
    )
    late = [outcome for outcome in outcomes if outcome.position in uncertain]
    append(connection, place, late, now)
    return late


def requeue(
    connection: Connection,
    place: Place,
    now: float,
    *,
    positions: Sequence[int] | None = None,
    policy: RetryPolicy = DEFAULT_POLICY,
) -> None:
    """Requeue what a chunk leaves unfinished in new chunks, each with its due time.

    Args:
        positions: Only these, of a chunk that was done before: if its campaign has finished, it is
            reopened. Everything by default.
        policy: When to retry deferred deliveries.
    """
    returned: dict[str, list[int]] = defaultdict(list)
    deferred: dict[float, list[int]] = defaultdict(list)
    failed: list[int] = []
    for row in _unfinished(connection, place, positions):
        if row.result == Result.RETURNED:
            # One chunk per domain, so that nobody waits for another domain's rate limit.
            limit = row.reply if row.reply.startswith(OVER_RATE) else ""
            returned[limit].append(row.position)
            continue
        # So that messages that a server deferred together are not retried together.
        jitter = random.random()  # noqa: S311
        decision = decide(row.tries, row.since, now, jitter=jitter, policy=policy)
        if isinstance(decision, Later):
            deferred[policy.rounded(decision.at)].append(row.position)
        else:
            failed.append(row.position)
    if positions is not None and (returned or deferred):
        reopen_finished(connection, place.campaign_id, now)
    for limit, members in returned.items():
        kind = ChunkKind.LIMITED if limit else ChunkKind.RETURNED
        make_listed(connection, place.campaign_id, kind, members, now)
    for due_at, members in deferred.items():
        facts = {"deliveries": len(members), "seconds": round(due_at - now)}
        log.info("retry scheduled", extra={"campaign": place.campaign_id, **facts})
        make_listed(connection, place.campaign_id, ChunkKind.RETRY, members, due_at)
    # Their last deferral was their last attempt, so it becomes the failure.
    if failed:
        connection.execute(
            update(attempt)
            .where(place.attempts, attempt.c.position == bindparam("of_position"))
            .values(result=Result.FAILED.value),
            [{"of_position": position} for position in failed],
        )


def make_listed(
    connection: Connection,
    campaign_id: int,
    kind: ChunkKind,
    positions: Sequence[int],
    due_at: float,
) -> None:
    """Create chunks that list their members."""
    for start in range(0, len(positions), MEMBERS):
        members = positions[start : start + MEMBERS]
        chunk_id = insert_chunk(
            connection,
            campaign_id,
            {
                "kind": kind,
                "first": 1,
                "last": len(members),
                "offered": 0,
                "state": ChunkState.READY,
                "due_at": due_at,
            },
        )
        connection.execute(
            insert(chunk_member),
            [
                {"chunk_id": chunk_id, "index": index, "position": position}
                for index, position in enumerate(members, start=1)
            ],
        )


def insert_chunk(
    connection: Connection, campaign_id: int, values: Mapping[str, str | float]
) -> int:
    """Create a chunk, and return its number."""
    made = connection.execute(insert(chunk).values(campaign_id=campaign_id, **values))
    return int(made.inserted_primary_key[0])  # type: ignore[index]


class _Unfinished(NamedTuple):
    """A delivery to be tried again: how often it was deferred, and since when."""

    position: int
    result: str
    reply: str
    tries: int
    since: float


def _unfinished(
    connection: Connection, place: Place, positions: Sequence[int] | None
) -> list[_Unfinished]:
    earlier, accepted = attempt.alias("earlier"), attempt.alias("accepted")
    deferrals = [
        earlier.c.campaign_id == attempt.c.campaign_id,
        earlier.c.position == attempt.c.position,
        earlier.c.result == Result.DEFERRED,
    ]
    # A delivery requeued by a person gets the full retry time again: earlier deferrals do not
    # count.
    requeued = _chunks_of_requests(connection, place.campaign_id)
    if requeued:
        later = attempt.alias("later")
        asked_again = exists().where(
            later.c.campaign_id == earlier.c.campaign_id,
            later.c.position == earlier.c.position,
            later.c.chunk_id.in_(requeued),
            later.c.chunk_id > earlier.c.chunk_id,
        )
        deferrals.append(~asked_again)
    query = select(
        attempt.c.position,
        attempt.c.result,
        attempt.c.reply,
        select(func.count()).where(*deferrals).scalar_subquery().label("tries"),
        select(func.min(earlier.c.at)).where(*deferrals).scalar_subquery().label("since"),
    ).where(
        place.attempts,
        _in_range(connection, place),
        attempt.c.result.in_((Result.DEFERRED, Result.RETURNED)),
        ~exists().where(
            accepted.c.campaign_id == attempt.c.campaign_id,
            accepted.c.position == attempt.c.position,
            accepted.c.result == Result.ACCEPTED,
        ),
    )
    if positions is not None:
        query = query.where(attempt.c.position.in_(positions))
    return [
        _Unfinished._make(row) for row in connection.execute(query.order_by(attempt.c.position))
    ]


def _chunks_of_requests(connection: Connection, campaign_id: int) -> Sequence[int]:
    """The chunks that record what a person requeued; they have no members."""
    query = select(chunk.c.id).where(
        chunk.c.campaign_id == campaign_id,
        chunk.c.state == ChunkState.DONE,
        chunk.c.kind == ChunkKind.RETURNED,
        chunk.c.last == 0,
    )
    return connection.execute(query).scalars().all()


def _in_range(connection: Connection, place: Place) -> ColumnElement[bool]:
    """Restricts a query to a chunk's positions: otherwise the whole campaign is searched."""
    kind, first, last = connection.execute(
        select(chunk.c.kind, chunk.c.first, chunk.c.last).where(chunk.c.id == place.chunk_id)
    ).one()
    if kind == ChunkKind.FIRST:
        return attempt.c.position.between(first, last)
    if not last:
        return true()
    members = select(chunk_member.c.position).where(chunk_member.c.chunk_id == place.chunk_id)
    return attempt.c.position.in_(members)
