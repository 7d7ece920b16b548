"""Deliveries of which nobody knows whether they were taken: listed, and settled by evidence."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, exists, select

from newsletter.delivery.ledger.recover import resolve
from newsletter.delivery.ledger.tables import attempt, delivery
from newsletter.delivery.model import Result
from newsletter.errors import InputError
from newsletter.store.engine import Store


@dataclass(frozen=True, slots=True)
class UncertainDelivery:
    """One uncertain delivery: offered in which chunk, settled as uncertain when, what is known."""

    position: int
    email: str
    at: float
    chunk_id: int
    known: str


def uncertain_deliveries(connection: Connection, campaign_id: int) -> list[UncertainDelivery]:
    """The uncertain deliveries of a campaign, by position.

    What a dead sender left is among them once `recover` has looked.
    """
    accepted = attempt.alias("accepted")
    closed = exists().where(
        accepted.c.campaign_id == attempt.c.campaign_id,
        accepted.c.position == attempt.c.position,
        accepted.c.result == Result.ACCEPTED,
    )
    rows = connection.execute(
        select(
            attempt.c.position, delivery.c.email, attempt.c.at, attempt.c.chunk_id, attempt.c.reply
        )
        .join(
            delivery,
            (delivery.c.campaign_id == attempt.c.campaign_id)
            & (delivery.c.position == attempt.c.position),
        )
        .where(
            attempt.c.campaign_id == campaign_id,
            attempt.c.result == Result.UNCERTAIN,
            ~closed,
        )
        .order_by(attempt.c.position)
    )
    return [UncertainDelivery(*row) for row in rows]


def settle_by_evidence(
    store: Store, campaign_id: int, position: int, result: Result, note: str
) -> bool:
    """Settle one uncertain delivery by what a provider or a bounce reports about it.

    Args:
        result: ACCEPTED or FAILED: no report ever has anybody mailed again.
        note: What reported it; kept with the attempt.

    Returns:
        Whether it was uncertain. What is settled already stays as it is.

    Raises:
        InputError: The result is neither.
    """
    if result not in {Result.ACCEPTED, Result.FAILED}:
        raise InputError("evidence says that a delivery was accepted, or that it failed")
    return resolve(store, campaign_id, [position], result, note=note) == 1
