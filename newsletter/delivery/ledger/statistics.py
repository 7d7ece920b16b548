"""Statistics of a campaign, added up by the database: constant memory, whatever the size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, cast, distinct, func, select

from newsletter.delivery.ledger.outcomes import (
    TRIED,
    DeliveryOutcome,
    DeliveryState,
    known_outcomes,
)
from newsletter.delivery.ledger.tables import attempt, delivery
from newsletter.delivery.model import Result
from newsletter.smtp_replies.classify import ReplyClass, classify

MINUTE = 60


@dataclass(frozen=True, slots=True)
class DomainCount:
    """The outcomes at one recipient domain; ``mailable``: not skipped in the snapshot."""

    domain: str
    mailable: int
    accepted: int
    deferred: int
    failed: int
    uncertain: int


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a domain delayed mail, from a delivery's first attempt to its last, in seconds."""

    domain: str
    deliveries: int
    mean: float
    longest: float


@dataclass(frozen=True, slots=True)
class Refusals:
    """Refused attempts by class, and the first reply that was about the sender."""

    classes: Mapping[ReplyClass, int] = field(default_factory=dict)
    policy_reply: str = ""


def domains(connection: Connection, campaign_id: int, limit: int) -> tuple[list[DomainCount], int]:
    """The domains with the most deliveries, and the number of domains."""
    known = known_outcomes(connection, campaign_id)
    domain = domain_of(connection)
    mailable = (delivery.c.campaign_id == campaign_id, delivery.c.skipped == "")
    columns: list[ColumnElement[Any]] = [
        domain,
        func.count(),
        *(func.count().filter(known.c.state == state) for state in TRIED),
    ]
    rows = connection.execute(
        select(*columns)
        .select_from(delivery)
        .outerjoin(known, known.c.position == delivery.c.position)
        .where(*mailable)
        .group_by(domain)
        .order_by(func.count().desc(), domain)
        .limit(limit)
    )
    number = connection.execute(select(func.count(distinct(domain))).where(*mailable)).scalar_one()
    return [DomainCount(*row) for row in rows], number


def accepted_by_minute(connection: Connection, campaign_id: int) -> dict[int, int]:
    """How many were accepted in each minute (Unix seconds at its start); others are left out."""
    known = known_outcomes(connection, campaign_id)
    minute = cast(known.c.at, BigInteger) // MINUTE
    rows = connection.execute(
        select(minute, func.count())
        .where(known.c.state == DeliveryState.ACCEPTED)
        .group_by(minute)
        .order_by(minute)
    )
    return {number * MINUTE: count for number, count in rows}


def by_attempts(connection: Connection, campaign_id: int) -> dict[int, int]:
    """How many deliveries took one attempt, two, and so on; those without any are left out."""
    tries = (
        select(func.count().label("tries"))
        .where(attempt.c.campaign_id == campaign_id, attempt.c.result.in_(TRIED))
        .group_by(attempt.c.position)
        .subquery()
    )
    rows = connection.execute(
        select(tries.c.tries, func.count().label("deliveries"))
        .group_by(tries.c.tries)
        .order_by(tries.c.tries)
    )
    return {row.tries: row.deliveries for row in rows}


def waits(connection: Connection, campaign_id: int, limit: int) -> list[Wait]:
    """The domains with the longest delays."""
    mine = attempt.c.campaign_id == campaign_id
    put_off = select(attempt.c.position).where(mine, attempt.c.result == Result.DEFERRED)
    each = (
        select(
            attempt.c.position, (func.max(attempt.c.at) - func.min(attempt.c.at)).label("waited")
        )
        .where(mine, attempt.c.result.in_(TRIED), attempt.c.position.in_(put_off))
        .group_by(attempt.c.position)
        .subquery()
    )
    domain, longest = domain_of(connection), func.max(each.c.waited)
    rows = connection.execute(
        select(domain, func.count(), func.avg(each.c.waited), longest)
        .select_from(delivery)
        .join(each, each.c.position == delivery.c.position)
        .where(delivery.c.campaign_id == campaign_id)
        .group_by(domain)
        .order_by(longest.desc(), domain)
        .limit(limit)
    )
    return [Wait(*row) for row in rows]


def problems(connection: Connection, campaign_id: int, limit: int) -> Iterator[DeliveryOutcome]:
    """The first deliveries that failed or are uncertain, by position."""
    known = known_outcomes(connection, campaign_id)
    rows = connection.execute(
        select(delivery.c.email, known)
        .join(known, known.c.position == delivery.c.position)
        .where(
            delivery.c.campaign_id == campaign_id,
            known.c.state.in_((DeliveryState.FAILED, DeliveryState.UNCERTAIN)),
        )
        .order_by(delivery.c.position)
        .limit(limit)
    )
    for row in rows:
        state = DeliveryState(row.state)
        yield DeliveryOutcome(
            row.position, row.email, state, row.code, row.status, row.reply, row.at
        )


def refusals(connection: Connection, campaign_id: int) -> Refusals:
    """Classify every refusal of a campaign, including those followed by success."""
    rows = connection.execute(
        select(attempt.c.code, attempt.c.status, attempt.c.reply)
        .where(
            attempt.c.campaign_id == campaign_id,
            attempt.c.result.in_((Result.DEFERRED, Result.FAILED)),
        )
        .order_by(attempt.c.position, attempt.c.chunk_id)
        # On the statement: on the connection, every later query would stream, too.
        .execution_options(yield_per=1000)
    )
    counts: Counter[ReplyClass] = Counter()
    first = ""
    for code, status, reply in rows:
        kind = _classify(code, status, reply)
        counts[kind] += 1
        if kind is ReplyClass.BLOCK and not first:
            first = said(code, status, reply)
    return Refusals(dict(counts), first)


def said(code: int | None, status: str, reply: str) -> str:
    """A reply in one line; a status code that begins the text is not repeated."""
    parts = (str(code or ""), "" if reply.startswith(status) else status, reply)
    return " ".join(" ".join(part for part in parts if part).split())


_classify = lru_cache(maxsize=1024)(classify)


def domain_of(connection: Connection) -> ColumnElement[str]:
    """The domain of a delivery's address; its key contains only one @."""
    find = func.instr if connection.dialect.name == "sqlite" else func.strpos
    return func.substr(delivery.c.email_key, find(delivery.c.email_key, "@") + 1)
