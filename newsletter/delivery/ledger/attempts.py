"""Attempts: appended, and changed only to say more about one that was uncertain."""

from __future__ import annotations

import json
import logging
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
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

from newsletter.delivery.ledger.eligibility import LIMITED, OVER_RATE
from newsletter.delivery.ledger.retry import DEFAULT_POLICY, Later, RetryPolicy, decide
from newsletter.delivery.ledger.tables import attempt, campaign, campaign_event, chunk, chunk_member
from newsletter.delivery.model import Outcome, Result
from newsletter.store.upsert import insert_into

SKIPPED = "skipped"
"""Result of an attempt that was not made: ``reply`` holds the reason."""
LONGEST_REPLY = 500
MEMBERS = 5000
"""Deliveries in one chunk."""

_ALIKE = ("campaign_id", "chunk_id", "at")
_CELLS = ("position", "result", "code", "status", "reply")
_UNSETTLED = (Result.DEFERRED, Result.RETURNED)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Which attempt: this campaign, in this chunk."""

    campaign_id: int
    chunk_id: int


def append(connection: Connection, place: Place, outcomes: Iterable[Outcome], now: float) -> None:
    """Write outcomes; one that is there already gives way only when it was uncertain."""
    rows: dict[int, Sequence[Any]] = {}
    for outcome in outcomes:
        known = rows.get(outcome.position)
        if known is None or known[1] == Result.UNCERTAIN:
            rows[outcome.position] = _cells(outcome)
    if rows:
        statement = _appending(connection.dialect.name)
        given = {**asdict(place), "at": now, "rows": json.dumps(list(rows.values()))}
        connection.execute(statement, given)


@cache
def _appending(dialect: str) -> Any:
    """Takes all rows as one JSON value: a parameter for each cell costs far more."""
    rows = bindparam("rows", type_=Text)
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import JSONB

        found: Any = func.jsonb_array_elements(cast(rows, JSONB)).table_valued("value")
        row = type_coerce(found.c.value, JSONB)
        cells: list[Any] = [
            cast(row[at].astext, attempt.c[name].type) for at, name in enumerate(_CELLS)
        ]
    else:
        found = func.json_each(rows).table_valued("value")
        cells = [func.json_extract(found.c.value, f"$[{at}]") for at in range(len(_CELLS))]
    # SQLite would take the ON of ON CONFLICT for that of a join, were there no WHERE before it.
    given = select(*[bindparam(name, type_=attempt.c[name].type) for name in _ALIKE], *cells)
    statement = insert_into(dialect, attempt).from_select([*_ALIKE, *_CELLS], given.where(true()))
    return statement.on_conflict_do_update(
        index_elements=[attempt.c.campaign_id, attempt.c.position, attempt.c.chunk_id],
        set_={name: statement.excluded[name] for name in (*_CELLS[1:], "at")},
        where=attempt.c.result == Result.UNCERTAIN,
    )


def append_skips(
    connection: Connection, place: Place, skips: Sequence[tuple[int, str]], now: float
) -> None:
    """Write down who may not be mailed any more, and why."""
    if skips:
        alike = {**asdict(place), "result": SKIPPED, "at": now}
        rows = [{**alike, "position": position, "reply": reason} for position, reason in skips]
        connection.execute(insert(attempt), rows)


def append_late(
    connection: Connection, place: Place, outcomes: Sequence[Outcome], now: float
) -> list[Outcome]:
    """Settle what is still uncertain, after the lease was lost.

    Returns:
        The outcomes that counted.
    """
    uncertain = set(
        connection.execute(
            select(attempt.c.position).where(
                *_of(place),
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
    """Put what a finished chunk leaves over into chunks of its own, each with a time to be due.

    Args:
        positions: Only these; everything by default.
    """
    returned: dict[str, list[int]] = defaultdict(list)
    deferred: dict[float, list[int]] = defaultdict(list)
    failed: list[int] = []
    for row in _left_over(connection, place, positions):
        if row.result == Result.RETURNED:
            limit = row.reply if row.reply.startswith(OVER_RATE) else ""
            returned[limit].append(row.position)
            continue
        jitter = random.random()  # noqa: S311
        decision = decide(row.tries, row.since, now, jitter=jitter, policy=policy)
        if isinstance(decision, Later):
            deferred[policy.rounded(decision.at)].append(row.position)
        else:
            failed.append(row.position)
    for limit, members in returned.items():
        kind = LIMITED if limit else "returned"
        make_listed(connection, place.campaign_id, kind, members, now)
    for due_at, members in deferred.items():
        facts = {"deliveries": len(members), "seconds": round(due_at - now)}
        log.info("retry scheduled", extra={"campaign": place.campaign_id, **facts})
        make_listed(connection, place.campaign_id, "retry", members, due_at)
    if returned or deferred:
        _reopen(connection, place.campaign_id, now)
    _give_up(connection, place, failed)


def _reopen(connection: Connection, campaign_id: int, now: float) -> None:
    """A campaign that finished while somebody was uncertain sends again when they come back.

    The word comes late from a sender that was cut off or frozen; without this nobody would look.
    """
    woken = connection.execute(
        update(campaign)
        .where(campaign.c.id == campaign_id, campaign.c.state == "finished")
        .values(state="sending", finished_at=None)
    )
    if woken.rowcount:
        connection.execute(
            insert(campaign_event).values(
                campaign_id=campaign_id,
                from_state="finished",
                to_state="sending",
                by="system",
                note="who was uncertain came back into the queue",
                at=now,
            )
        )


def make_listed(
    connection: Connection, campaign_id: int, kind: str, positions: Sequence[int], due_at: float
) -> None:
    """Make chunks that list their members."""
    for start in range(0, len(positions), MEMBERS):
        members = positions[start : start + MEMBERS]
        made = connection.execute(
            insert(chunk).values(
                campaign_id=campaign_id,
                kind=kind,
                first=1,
                last=len(members),
                offered=0,
                state="ready",
                due_at=due_at,
            )
        )
        chunk_id = made.inserted_primary_key[0]  # type: ignore[index]
        connection.execute(
            insert(chunk_member),
            [
                {"chunk_id": chunk_id, "index": index, "position": position}
                for index, position in enumerate(members, start=1)
            ],
        )


def _left_over(
    connection: Connection, place: Place, positions: Sequence[int] | None
) -> Sequence[Any]:
    earlier = attempt.alias("earlier")
    same = (
        earlier.c.campaign_id == attempt.c.campaign_id,
        earlier.c.position == attempt.c.position,
    )
    deferrals = (
        *same,
        earlier.c.result == Result.DEFERRED,
        *_since_asked_again(connection, place.campaign_id, earlier),
    )
    query = select(
        attempt.c.position,
        attempt.c.result,
        attempt.c.reply,
        select(func.count()).where(*deferrals).scalar_subquery().label("tries"),
        select(func.min(earlier.c.at)).where(*deferrals).scalar_subquery().label("since"),
    ).where(
        *_of(place),
        _within(connection, place),
        attempt.c.result.in_(_UNSETTLED),
        ~exists().where(*same, earlier.c.result == Result.ACCEPTED),
    )
    if positions is not None:
        query = query.where(attempt.c.position.in_(positions))
    return connection.execute(query.order_by(attempt.c.position)).all()


def _since_asked_again(
    connection: Connection, campaign_id: int, earlier: FromClause
) -> list[ColumnElement[bool]]:
    """What a person requeued (`newsletter.delivery.ledger.requeue`) has the whole time again."""
    chunks = select(chunk.c.id).where(
        chunk.c.campaign_id == campaign_id,
        chunk.c.state == "done",
        chunk.c.kind == "returned",
        chunk.c.last == 0,
    )
    put_back = connection.execute(chunks).scalars().all()
    if not put_back:
        return []
    later = attempt.alias("later")
    again = exists().where(
        later.c.campaign_id == earlier.c.campaign_id,
        later.c.position == earlier.c.position,
        later.c.chunk_id.in_(put_back),
        later.c.chunk_id > earlier.c.chunk_id,
    )
    return [~again]


def _within(connection: Connection, place: Place) -> ColumnElement[bool]:
    """Where a chunk's attempts are: without this the whole campaign's would be searched.

    A chunk that only records what a person requeued has no members.
    """
    whole = select(chunk.c.kind, chunk.c.first, chunk.c.last).where(chunk.c.id == place.chunk_id)
    row = connection.execute(whole).one()
    if row.kind == "first":
        return attempt.c.position.between(row.first, row.last)
    if not row.last:
        return true()
    members = select(chunk_member.c.position).where(chunk_member.c.chunk_id == place.chunk_id)
    return attempt.c.position.in_(members)


def _give_up(connection: Connection, place: Place, positions: Sequence[int]) -> None:
    if positions:
        connection.execute(
            update(attempt)
            .where(*_of(place), attempt.c.position == bindparam("of_position"))
            .values(result=Result.FAILED.value),
            [{"of_position": position} for position in positions],
        )


def _of(place: Place) -> tuple[Any, Any]:
    return attempt.c.campaign_id == place.campaign_id, attempt.c.chunk_id == place.chunk_id


def _cells(outcome: Outcome) -> list[Any]:
    # PostgreSQL takes no NUL in text.
    reply = outcome.reply[:LONGEST_REPLY].replace("\0", "")
    return [outcome.position, outcome.result, outcome.code, outcome.status[:16], reply]
