"""The end of a campaign: addresses that were refused as dead are suppressed.

A refusal at delivery means the same as a bounce an hour later, so it becomes the same event: a
dead address is suppressed, a full mailbox is counted (`newsletter.feedback.policy`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from sqlalchemy import Connection, select

from newsletter.campaign.context import AppContext
from newsletter.delivery.ledger import states
from newsletter.delivery.ledger.chunks import is_done
from newsletter.delivery.ledger.outcomes import (
    DeliveryState,
    count_outcomes,
    known_outcomes,
)
from newsletter.delivery.ledger.states import SYSTEM, CampaignState
from newsletter.delivery.ledger.tables import attempt, campaign, delivery
from newsletter.feedback.apply import apply
from newsletter.feedback.event import Event, EventKind
from newsletter.smtp_replies.classify import ReplyClass, classify
from newsletter.store.engine import analyze

BELIEVED = 0.1
"""Largest plausible share of dead addresses; beyond it, the relay itself is more likely broken."""
FEW = 2
"""This many dead addresses are believed in an audience of any size."""

log = logging.getLogger(__name__)


def complete_finished(
    app: AppContext, campaign_id: int | None = None, *, by: str = SYSTEM
) -> list[int]:
    """Finish campaigns whose deliveries are all final. Any number of processes may call it at once.

    Args:
        campaign_id: Only this one; every campaign that is sending by default.

    Returns:
        The campaigns that this call finished.
    """
    with app.store.read() as connection:
        sending = select(campaign.c.id).where(campaign.c.state == CampaignState.SENDING)
        if campaign_id is not None:
            sending = sending.where(campaign.c.id == campaign_id)
        done = [each for each in connection.execute(sending).scalars() if is_done(connection, each)]
    ended = []
    for each in done:
        # Before the end is recorded: if this process is killed in between, the next does both.
        note = suppress_refused(app, each)
        with app.store.write() as connection:
            # Checked again under a lock: others may have finished it or requeued a recipient.
            state = states.lock_state(connection, each)
            if state is not CampaignState.SENDING or not is_done(connection, each):
                continue
            now = app.store.now(connection)
            states.transition(connection, each, CampaignState.FINISHED, by=by, now=now, note=note)
            analyze(connection, delivery, attempt)
        ended.append(each)
    return ended


def suppress_refused(app: AppContext, campaign_id: int) -> str:
    """Suppress dead addresses, unless there are implausibly many. Idempotent.

    Returns:
        A note for people; empty if there is nothing to note.
    """
    # At the end, not at once: only then it is known whether the relay rejected half the list.
    with app.store.read() as connection:
        refused = list(_refusals(connection, campaign_id))
        # Counting all outcomes takes a while, and most campaigns have few or no dead addresses.
        dead = sum(each.verdict is ReplyClass.HARD for each in refused)

        if dead > FEW:
            counts = count_outcomes(connection, campaign_id)
            mailed = counts.accepted + counts.deferred + counts.failed + counts.uncertain
            if dead > BELIEVED * mailed:
                log.warning(
                    "too many dead addresses", extra={"campaign": campaign_id, "dead": dead}
                )
                return (
                    f"{dead:,} of {mailed:,} addresses were refused as dead, an implausible "
                    "number: none of them was suppressed"
                )
    if refused:
        # 0: the circuit breaker has already counted refusals of us as a sender.
        apply(app.store, app.keys, refused, hold_after=0)
    return ""


def _refusals(connection: Connection, campaign_id: int) -> Iterator[Event]:
    """The failed deliveries whose reply is about the address, as events."""
    known = known_outcomes(connection, campaign_id)
    rows = connection.execute(
        select(known, delivery.c.email, campaign.c.transport)
        .join(delivery, delivery.c.position == known.c.position)
        .join(campaign, campaign.c.id == delivery.c.campaign_id)
        .where(
            delivery.c.campaign_id == campaign_id,
            # Empty once the recipient was erased.
            delivery.c.email != "",
            known.c.state == DeliveryState.FAILED,
        )
    )
    for row in rows:
        verdict = classify(row.code, row.status, row.reply)
        if verdict in {ReplyClass.HARD, ReplyClass.SOFT}:
            yield Event(
                # The same for the same refusal, so that doing this twice adds no second event.
                provider_id=f"refused:{campaign_id}:{row.position}:{row.at:.3f}",
                kind=EventKind.BOUNCED,
                source=row.transport,
                at=row.at,
                payload=f"{row.code or ''} {row.reply}".encode(),
                verdict=verdict,
                email=row.email,
                campaign_id=campaign_id,
                position=row.position,
            )
