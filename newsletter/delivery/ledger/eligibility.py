"""Who in a chunk may still be mailed, asked anew just before each offer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Row,
    Select,
    Text,
    bindparam,
    case,
    exists,
    func,
    select,
)

from newsletter.audience.model import SubscriptionState
from newsletter.audience.tables import subscriber, subscription, suppression
from newsletter.delivery.ledger.rate import Throttle
from newsletter.delivery.ledger.tables import attempt, chunk_member, delivery
from newsletter.delivery.model import Delivery, Outcome, Result

LIMITED = "limited"
"""Kind of a chunk whose members were passed over: their domain's rate was used up."""
OVER_RATE = "over the rate of "
"""What stands before the domain in the ``reply`` of an attempt that was passed over."""
_CELLS = (
    *("campaign_id", "position", "subscriber_uid", "email", "variant"),
    *("first_name", "last_name", "attributes"),
)
_POSITION = _CELLS.index("position")


@dataclass(slots=True)
class Choice:
    """What becomes of the deliveries that an offer looks at.

    ``ready`` may go out; ``skips`` may not, each with the reason; ``over`` is passed over for now.
    ``member`` is the last that was decided upon, and ``wait`` how many seconds the next has to
    wait, which was not.
    """

    ready: list[Delivery] = field(default_factory=list)
    skips: list[tuple[int, str]] = field(default_factory=list)
    over: list[Outcome] = field(default_factory=list)
    member: int | None = None
    wait: float = 0.0


def choose(rows: Iterable[Sequence[Any]], throttle: Throttle | None, *, kind: str) -> Choice:
    """Decide upon rows of `eligible`, in order.

    Args:
        throttle: Reserves what is ready; nothing is limited without one.
        kind: The chunk's. One that is `LIMITED` has nothing but such members: it stops at the
            first that has to wait, where others pass it over.
    """
    choice = Choice()
    for member, reason, email_key, *cells in rows:
        if reason:
            choice.skips.append((cells[_POSITION], reason))
        elif throttle is None or throttle.admits(domain := email_key.rpartition("@")[2]):
            choice.ready.append(_delivery(*cells))
        elif kind == LIMITED:
            choice.wait = throttle.wait_for(domain)
            break
        else:
            reply = f"{OVER_RATE}{domain}"
            choice.over.append(Outcome(cells[_POSITION], Result.RETURNED, reply=reply))
        choice.member = member
    return choice


def eligible(connection: Connection, row: Row[Any], room: int) -> Sequence[Sequence[Any]]:
    """The deliveries above a chunk's watermark, in order, as `choose` takes them.

    Each begins with its place in the chunk, the reason not to mail it, and its address key.

    Args:
        row: The chunk, with the ``list_id`` that its campaign is for.
        room: How many at most.
    """
    given = {
        "of_campaign": row.campaign_id,
        "of_list": row.list_id,
        "of_chunk": row.id,
        "offered": row.offered,
        "last": row.last,
        "room": room,
        "now": time.time(),
    }
    if connection.dialect.name != "sqlite":
        return connection.execute(_query(first=row.kind == "first"), given).all()
    rows: str = connection.execute(_as_json(first=row.kind == "first"), given).scalar_one()
    return sorted(json.loads(rows), key=itemgetter(0))


@cache
def _as_json(*, first: bool) -> Select[Any]:
    """All rows as one value: SQLite gives them singly, each by way of Python's lock."""
    rows = _query(first=first).subquery()
    cells = [func.json(cell) if cell.name == "attributes" else cell for cell in rows.c]
    return select(func.json_group_array(func.json_array(*cells), type_=Text))


@cache
def _query(*, first: bool) -> Select[Any]:
    source: Any = delivery
    member: ColumnElement[int] = delivery.c.position
    if not first:
        source = chunk_member.join(delivery, delivery.c.position == chunk_member.c.position)
        member = chunk_member.c.index
    query = (
        select(
            member.label("member"),
            _reason().label("reason"),
            *(delivery.c[name] for name in ("email_key", *_CELLS)),
        )
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
    return query.where(chunk_member.c.chunk_id == bindparam("of_chunk"), ~_accepted())


def _reason() -> Any:
    suppressed = (
        select(func.min(suppression.c.reason))
        .where(suppression.c.address_hash == delivery.c.address_hash)
        .scalar_subquery()
    )
    state = subscription.c.state
    return func.coalesce(
        suppressed,
        case(
            (subscriber.c.id.is_(None), "erased"),
            (
                (state == SubscriptionState.ACTIVE)
                & (subscriber.c.paused_until > bindparam("now", type_=Double)),
                "paused",
            ),
            (state == SubscriptionState.ACTIVE, ""),
            (state == SubscriptionState.PENDING, "unconfirmed"),
            else_="unsubscribed",
        ),
    )


def _accepted() -> Any:
    """A late reply may have closed a delivery after it was put back into the queue."""
    return exists().where(
        attempt.c.campaign_id == delivery.c.campaign_id,
        attempt.c.position == delivery.c.position,
        attempt.c.result == Result.ACCEPTED,
    )


def _delivery(  # noqa: PLR0913, PLR0917 - the cells of a row
    campaign_id: int,
    position: int,
    uid: int,
    email: str,
    variant: int,
    first_name: str,
    last_name: str,
    known: Mapping[str, Any],
) -> Delivery:
    values = {name: str(value) for name, value in known.items() if value is not None}
    values["first_name"], values["last_name"] = first_name, last_name
    return Delivery(campaign_id, position, uid, email, variant, values)
