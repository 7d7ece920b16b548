"""Pause campaigns of which reports reject us as a sender, before more receivers do."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from sqlalchemy import func, select

from newsletter.delivery.ledger.tables import attempt, campaign_event
from newsletter.delivery.model import Result
from newsletter.delivery.runner.circuit_breaker import trip
from newsletter.feedback.event import EventKind
from newsletter.feedback.tables import event
from newsletter.smtp_replies.classify import ReplyClass
from newsletter.store.engine import Store

log = logging.getLogger(__name__)

REPORTING = frozenset(
    [EventKind.BOUNCED, EventKind.DROPPED, EventKind.COMPLAINED, EventKind.UNSUBSCRIBED]
)
"""Events that report a refusal or a complaint."""
PER_MESSAGES = 5000
"""Messages for which the setting ``hold.policy`` gives the number of refusals."""


def pause_refused(store: Store, campaign_ids: Iterable[int], hold_after: int) -> tuple[int, ...]:
    """Pause these campaigns where reports reject us as a sender too often.

    Args:
        campaign_ids: Campaigns with such reports, perhaps repeated.
        hold_after: This many of them for 5,000 messages pause a campaign; 0 never does.

    Returns:
        The campaigns that were sending and are paused now.
    """
    paused: list[int] = []
    for campaign_id in sorted(set(campaign_ids)):
        with store.read() as connection:
            # Counted from the last change of state, so that whoever resumes a paused campaign
            # after a look is not stopped by the same reports again.
            changes = select(func.max(campaign_event.c.at)).where(
                campaign_event.c.campaign_id == campaign_id
            )
            since = connection.execute(changes).scalar() or 0.0
            reports = select(func.count()).where(
                event.c.campaign_id == campaign_id,
                event.c.verified == 1,
                event.c.verdict == ReplyClass.BLOCK,
                event.c.kind.in_(REPORTING),
                event.c.received_at > since,
            )
            accepted = select(func.count()).where(
                attempt.c.campaign_id == campaign_id,
                attempt.c.result == Result.ACCEPTED,
                attempt.c.at > since,
            )
            refusals = connection.execute(reports).scalar_one()
            mailed = connection.execute(accepted).scalar_one()
        facts = {"campaign": campaign_id, "refusals": refusals}
        log.warning("reports reject us as a sender", extra=facts)
        too_many = 0 < hold_after * max(1.0, mailed / PER_MESSAGES) <= refusals
        reason = f"{refusals} reports that came back reject us as a sender"
        if too_many and trip(store, campaign_id, reason):
            paused.append(campaign_id)
    return tuple(paused)
