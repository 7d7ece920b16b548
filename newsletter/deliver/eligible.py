"""Who in a chunk may still be mailed, asked anew just before each offer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, Select, case, exists, func, select

from newsletter.audience.model import SubscriptionState
from newsletter.deliver.model import Delivery, Outcome, Result
from newsletter.deliver.rate import Throttle
from newsletter.store.schema import (
    attempt,
    chunk_member,
    delivery,
    subscriber,
    subscription,
    suppression,
)

LIMITED = "limited"
"""Kind of a chunk whose members were passed over: their domain's rate was used up."""
OVER_RATE = "over the rate of "
"""What stands before the domain in the ``reply`` of an attempt that was passed over."""


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


def choose(rows: Sequence[Row[Any]], throttle: Throttle | None, *, kind: str) -> Choice:
    """Decide upon rows of `eligible`, in order.

    Args:
        throttle: Reserves what is ready; nothing is limited without one.
        kind: The chunk's. One that is `LIMITED` has nothing but such members: it stops at the
            first that has to wait, where others pass it over.
    """
    choice = Choice()
    for row in rows:
        if row.reason:
            choice.skips.append((row.position, row.reason))
        elif throttle is None or throttle.admits(domain := row.email_key.rpartition("@")[2]):
            choice.ready.append(delivery_of(row))
        elif kind == LIMITED:
            choice.wait = throttle.wait_for(domain)
            break
        else:
            reply = f"{OVER_RATE}{domain}"
            choice.over.append(Outcome(row.position, Result.RETURNED, reply=reply))
        choice.member = row.member
    return choice


def eligible(row: Row[Any]) -> Select[Any]:
    """The deliveries above a chunk's watermark, in order, each with the reason not to mail it.

    Args:
        row: The chunk, with the ``list_id`` that its campaign is for.
    """
    query = select(
        delivery.c.campaign_id,
        delivery.c.position,
        delivery.c.subscriber_uid,
        delivery.c.email,
        delivery.c.email_key,
        delivery.c.first_name,
        delivery.c.last_name,
        delivery.c.attributes,
        delivery.c.variant,
        _reason().label("reason"),
    )
    if row.kind == "first":
        member = delivery.c.position
        source: Any = delivery
    else:
        member = chunk_member.c.index
        source = chunk_member.join(delivery, delivery.c.position == chunk_member.c.position)
        query = query.where(chunk_member.c.chunk_id == row.id, ~_accepted())
    return (
        query.add_columns(member.label("member"))
        .select_from(
            source.outerjoin(subscriber, subscriber.c.uid == delivery.c.subscriber_uid).outerjoin(
                subscription,
                (subscription.c.subscriber_id == subscriber.c.id)
                & (subscription.c.list_id == row.list_id),
            )
        )
        .where(
            delivery.c.campaign_id == row.campaign_id,
            delivery.c.skipped == "",
            member > row.offered,
            member <= row.last,
        )
        .order_by(member)
    )


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
                (state == SubscriptionState.ACTIVE) & (subscriber.c.paused_until > time.time()),
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


def delivery_of(row: Row[Any]) -> Delivery:
    """The delivery that a row of `eligible` describes."""
    # Unpacked: looking each column up by its name takes longer than all the rest.
    cells: Sequence[Any] = row
    campaign_id, position, uid, email, _, first_name, last_name, known, variant = cells[:9]
    values = {name: str(value) for name, value in known.items() if value is not None}
    values["first_name"], values["last_name"] = first_name, last_name
    return Delivery(campaign_id, position, uid, email, variant, values)
