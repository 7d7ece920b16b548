"""Which deliveries of a chunk may still be mailed, checked again just before each offer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Select,
    Text,
    bindparam,
    exists,
    func,
    select,
)

from newsletter.audience.mailability import skip_reason
from newsletter.audience.tables import subscriber, subscription
from newsletter.delivery.ledger.attempts import OVER_RATE
from newsletter.delivery.ledger.chunks import LeasedChunk
from newsletter.delivery.ledger.rate import Throttle
from newsletter.delivery.ledger.states import ChunkKind
from newsletter.delivery.ledger.tables import attempt, chunk_member, delivery
from newsletter.delivery.model import Delivery, Outcome, Result


class Candidate(NamedTuple):
    """A delivery above a chunk's watermark: its index in the chunk, and why it may not be mailed.

    ``reason`` is empty if it may be mailed.
    """

    member: int
    reason: str
    email_key: str
    campaign_id: int
    position: int
    subscriber_uid: int
    email: str
    variant: int
    first_name: str
    last_name: str
    attributes: Mapping[str, Any]

    def delivery(self) -> Delivery:
        """What a message is composed from."""
        values = {name: str(value) for name, value in self.attributes.items() if value is not None}
        values["first_name"], values["last_name"] = self.first_name, self.last_name
        return Delivery(
            self.campaign_id, self.position, self.subscriber_uid, self.email, self.variant, values
        )


@dataclass(slots=True)
class Choice:
    """The decisions about the candidates of an offer.

    ``ready`` may be sent; ``skips`` may not, each with its reason; ``over`` is postponed by a rate
    limit. ``member`` is the last one decided on, ``wait`` the seconds that the next has to wait.
    """

    ready: list[Delivery] = field(default_factory=list)
    skips: list[tuple[int, str]] = field(default_factory=list)
    over: list[Outcome] = field(default_factory=list)
    member: int | None = None
    wait: float = 0.0


def choose(
    candidates: Iterable[Candidate], throttle: Throttle | None, *, kind: ChunkKind
) -> Choice:
    """Decide about each candidate, in order.

    Args:
        throttle: Reserves what is ready; None if there are no rate limits.
        kind: The kind of the chunk. A ``LIMITED`` one stops at the first member that has to wait,
            since all its members are of one domain; others postpone it.
    """
    choice = Choice()
    for each in candidates:
        if each.reason:
            # Before the rate limit: a recipient who is not mailed must not use it up.
            choice.skips.append((each.position, each.reason))
        elif throttle is None or throttle.admits(domain := each.email_key.rpartition("@")[2]):
            choice.ready.append(each.delivery())
        elif kind is ChunkKind.LIMITED:
            choice.wait = throttle.wait_for(domain)
            break
        else:
            reply = f"{OVER_RATE}{domain}"
            choice.over.append(Outcome(each.position, Result.RETURNED, reply=reply))
        choice.member = each.member
    return choice


def find_candidates(connection: Connection, chunk: LeasedChunk, room: int) -> list[Candidate]:
    """The deliveries above a chunk's watermark, in order.

    Args:
        room: The number of candidates at most.
    """
    given = {
        "of_campaign": chunk.campaign_id,
        "of_list": chunk.list_id,
        "of_chunk": chunk.id,
        "offered": chunk.offered,
        "last": chunk.last,
        "room": room,
        "now": time.time(),
    }
    first = chunk.kind is ChunkKind.FIRST
    if connection.dialect.name != "sqlite":
        rows = connection.execute(_query(first=first), given)
        return [Candidate._make(row) for row in rows]
    as_json = connection.execute(_as_json(first=first), given).scalar_one()
    return sorted(map(Candidate._make, json.loads(as_json)))


@cache
def _as_json(*, first: bool) -> Select[str]:
    """All rows as one JSON value: SQLite returns rows one by one, each taking Python's lock."""
    rows = _query(first=first).subquery()
    cells = [func.json(cell) if cell.name == "attributes" else cell for cell in rows.c]
    return select(func.json_group_array(func.json_array(*cells), type_=Text))


@cache
def _query(*, first: bool) -> Select[Any]:
    """The columns of `Candidate`, in its order."""
    source: Any = delivery
    member: ColumnElement[int] = delivery.c.position
    if not first:
        source = chunk_member.join(delivery, delivery.c.position == chunk_member.c.position)
        member = chunk_member.c.index
    reason = skip_reason(delivery.c.address_hash, bindparam("now", type_=Double))
    query = (
        select(
            member.label("member"),
            reason.label("reason"),
            *(delivery.c[name] for name in Candidate._fields[2:]),
        )
        # Outer joins: a deleted subscriber or subscription is a skip reason, and must be recorded.
        .select_from(
            source.outerjoin(subscriber, subscriber.c.uid == delivery.c.subscriber_uid).outerjoin(
                subscription,
                (subscription.c.subscriber_id == subscriber.c.id)
                & (subscription.c.list_id == bindparam("of_list")),
            )
        )
        .where(
            delivery.c.campaign_id == bindparam("of_campaign"),
            delivery.c.skipped == "",
            member > bindparam("offered"),
            member <= bindparam("last"),
        )
        .order_by(member)
        .limit(bindparam("room"))
    )
    if first:
        return query
    # A late reply may have settled a delivery after it was requeued.
    accepted = exists().where(
        attempt.c.campaign_id == delivery.c.campaign_id,
        attempt.c.position == delivery.c.position,
        attempt.c.result == Result.ACCEPTED,
    )
    return query.where(chunk_member.c.chunk_id == bindparam("of_chunk"), ~accepted)
