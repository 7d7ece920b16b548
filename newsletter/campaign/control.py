"""Control a campaign that was started: pause, cancel, retry, resolve uncertain deliveries."""

from __future__ import annotations

import time
from collections.abc import Sequence

from newsletter.campaign.completion import suppress_refused
from newsletter.campaign.context import AppContext
from newsletter.campaign.launch import recover_dead_senders
from newsletter.campaign.status import Status, status
from newsletter.delivery.ledger import states
from newsletter.delivery.ledger.outcomes import (
    UncertainDelivery,
    uncertain_deliveries,
    under_way,
)
from newsletter.delivery.ledger.recover import resolve
from newsletter.delivery.ledger.requeue import due_now, requeue_failed
from newsletter.delivery.ledger.states import CampaignState
from newsletter.delivery.model import Result
from newsletter.errors import InputError, RefusedError
from newsletter.feedback.apply import settle_known

SETTLED_S = 3.0
"""How long to wait for messages under way before reporting how many were sent."""
LOOK_S = 0.1
AT_ONCE = 1000
ANSWERS = {
    "accepted": Result.ACCEPTED,
    "failed": Result.FAILED,
    "send-again": Result.RETURNED,
}
"""How a person can resolve an uncertain delivery."""


def halt(app: AppContext, campaign_id: int, to: CampaignState) -> tuple[Status, int]:
    """Pause or cancel a campaign: no further messages are offered.

    Args:
        to: ``PAUSED`` or ``CANCELLED``.

    Returns:
        Its status once the messages under way have an outcome, and how many are still under way
        after a few seconds.

    Raises:
        InputError: There is no such campaign.
        RefusedError: It cannot be paused or cancelled in its state.
    """
    with app.store.write() as connection:
        states.transition(connection, campaign_id, to, by=app.by, now=app.store.now(connection))
    # So that the counts shown are final in most cases; a slow server is not waited for.
    give_up = time.monotonic() + SETTLED_S
    while True:
        with app.store.read() as connection:
            left = under_way(connection, campaign_id)
            if not left or time.monotonic() > give_up:
                # In the same transaction, so that both are of the same moment.
                found = status(connection, campaign_id)
                break
        time.sleep(LOOK_S)
    # A cancelled campaign is never completed, which would do this otherwise.
    if to is CampaignState.CANCELLED:
        suppress_refused(app, campaign_id)
    return found, left


def retry(app: AppContext, campaign_id: int) -> Status:
    """Make every deferred delivery due now.

    Raises:
        InputError: There is no such campaign.
        RefusedError: The campaign is cancelled.
    """
    with app.store.write() as connection:
        found = status(connection, campaign_id)
        if found.state == CampaignState.CANCELLED:
            raise RefusedError(f"campaign {campaign_id} is cancelled: it sends nothing anymore")
        due_now(connection, campaign_id, app.store.now(connection))
        return found


def retry_failed(app: AppContext, campaign_id: int, reason: str) -> int:
    """Requeue every failed delivery at a person's request.

    Returns:
        How many were requeued.

    Raises:
        InputError: There is no such campaign, or no reason.
        RefusedError: The campaign is cancelled.
    """
    note = _note(app, reason)
    with app.store.write() as connection:
        now = app.store.now(connection)
        # A finished campaign is not reopened when there is nobody to mail.
        if not status(connection, campaign_id).tally.failed:
            return 0
        states.reopen(connection, campaign_id, by=app.by, now=now, note=f"retry: {reason}")
        return requeue_failed(connection, campaign_id, now, note=note)


def uncertain(app: AppContext, campaign_id: int) -> list[UncertainDelivery]:
    """List the uncertain deliveries, after settling those about which more is known by now.

    Raises:
        InputError: There is no such campaign.
    """
    with app.store.read() as connection:
        status(connection, campaign_id)
    # Dead senders first: reports that arrived since may be about what they left.
    recover_dead_senders(app)
    settle_known(app.store, campaign_id)
    with app.store.read() as connection:
        return uncertain_deliveries(connection, campaign_id)


def resolve_uncertain(
    app: AppContext, campaign_id: int, answer: str, positions: Sequence[int], reason: str
) -> list[int]:
    """Resolve uncertain deliveries, because a person knows whether they arrived.

    Args:
        answer: One of `ANSWERS`.
        reason: How the person knows; kept with each attempt.

    Returns:
        The positions that are not uncertain, and so were left unchanged.

    Raises:
        InputError: There is no such campaign, or no reason.
        RefusedError: They are to be sent again, but the campaign is cancelled.
    """
    note = _note(app, reason)
    known = {each.position for each in uncertain(app, campaign_id)}
    chosen = [position for position in positions if position in known]
    again = bool(chosen) and ANSWERS[answer] is Result.RETURNED
    # Before, so that nothing is requeued in a campaign that sends nothing; after, in case it
    # finished in between.
    if again:
        _reopen(app, campaign_id, reason)
    # In parts, so that a reader who unsubscribes meanwhile does not wait for thousands of rows.
    for start in range(0, len(chosen), AT_ONCE):
        some = chosen[start : start + AT_ONCE]
        resolve(app.store, campaign_id, some, ANSWERS[answer], note=note)
    if again:
        _reopen(app, campaign_id, reason)
    return [position for position in positions if position not in known]


def _reopen(app: AppContext, campaign_id: int, reason: str) -> None:
    with app.store.write() as connection:
        now = app.store.now(connection)
        states.reopen(connection, campaign_id, by=app.by, now=now, note=f"again: {reason}")


def _note(app: AppContext, reason: str) -> str:
    if not reason.strip():
        raise InputError("no reason given", fix="add --reason TEXT; it is recorded")
    return f"{app.by}: {reason.strip()}"
