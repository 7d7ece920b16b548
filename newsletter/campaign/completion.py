"""The end of a campaign: an address that was refused as dead is not mailed again.

A refusal at delivery says what a bounce says an hour later, so it becomes the same event: a dead
address is suppressed, a full mailbox is counted (`newsletter.feedback.policy`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from sqlalchemy import Connection, select

from newsletter.campaign.context import AppContext
from newsletter.delivery.ledger import states
from newsletter.delivery.ledger.outcomes import count_outcomes, latest_attempts
from newsletter.delivery.ledger.tables import campaign, delivery
from newsletter.delivery.model import Result
from newsletter.delivery.runner.circuit_breaker import SYSTEM
from newsletter.feedback.apply import apply
from newsletter.feedback.event import Event, EventKind
from newsletter.smtp_replies.classify import ReplyClass, classify

BELIEVED = 0.1
"""Share of the mailed that may be dead; a relay that finds more than this has lost its own list."""
FEW = 2
"""This many are believed in an audience of any size."""

log = logging.getLogger(__name__)


def complete_finished(
    app: AppContext, campaign_id: int | None = None, *, by: str = SYSTEM
) -> list[int]:
    """End campaigns all of whose deliveries are final. Any number of processes may do so at once.

    Args:
        campaign_id: Only this one; every campaign that is sending by default.

    Returns:
        Those that this call ended.
    """
    ended = []
    for each in states.done(app.store, campaign_id):
        # Before the end is recorded: killed in between, the next process does both again.
        note = suppress_refused(app, each)
        if states.finish(app.store, each, by=by, note=note):
            ended.append(each)
    return ended


def suppress_refused(app: AppContext, campaign_id: int) -> str:
    """Suppress dead addresses, unless there are too many to believe.

    Doing so twice changes nothing.

    Returns:
        What a person should know of it; empty if nothing.
    """
    with app.store.read() as connection:
        refused = list(_refusals(connection, campaign_id))
        dead = sum(each.verdict is ReplyClass.HARD for each in refused)
        # Most campaigns have few or none, and need not be counted once more.
        if dead > FEW:
            counts = count_outcomes(connection, campaign_id)
            mailed = counts.accepted + counts.deferred + counts.failed + counts.uncertain
            if dead > BELIEVED * mailed:
                log.warning(
                    "too many dead addresses", extra={"campaign": campaign_id, "dead": dead}
                )
                return (
                    f"{dead:,} of {mailed:,} were refused as dead addresses, which is too many to "
                    "believe: nobody was suppressed"
                )
    if refused:
        apply(app.store, app.keys, refused, hold_after=0)
    return ""


def _refusals(connection: Connection, campaign_id: int) -> Iterator[Event]:
    """The failed deliveries whose reply is about the address, as events."""
    latest = latest_attempts(connection, campaign_id)
    rows = connection.execute(
        select(latest, delivery.c.email, campaign.c.transport)
        .join(delivery, delivery.c.position == latest.c.position)
        .join(campaign, campaign.c.id == delivery.c.campaign_id)
        .where(
            delivery.c.campaign_id == campaign_id,
            # Empty once the recipient was erased.
            delivery.c.email != "",
            latest.c.result == Result.FAILED,
        )
    )
    for row in rows:
        verdict = classify(row.code, row.status, row.reply)
        if verdict in {ReplyClass.HARD, ReplyClass.SOFT}:
            yield Event(
                # The same for the same refusal: whoever completes it again adds no second event.
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
