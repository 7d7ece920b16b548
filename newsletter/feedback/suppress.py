"""Suppress and unsubscribe recipients: dead addresses, complaints, unsubscribe requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, select

from newsletter.audience.consent.unsubscribe import find_subscribers, leave_all
from newsletter.audience.keys import Keys
from newsletter.audience.model import SuppressionReason
from newsletter.audience.subscribers import Consent
from newsletter.audience.suppression import suppress_all
from newsletter.feedback.attribution import (
    AT_ONCE,
    AttributedDelivery,
    EventAbout,
    hash_of,
    is_transactional,
)
from newsletter.feedback.event import Event, EventKind
from newsletter.feedback.model import FeedbackKind
from newsletter.feedback.policy import Consequence, Score, consequence
from newsletter.feedback.refusals import REPORTING
from newsletter.feedback.tables import event as recorded
from newsletter.smtp_replies.classify import ReplyClass

_REASONS = {
    EventKind.BOUNCED: SuppressionReason.BOUNCED,
    EventKind.DROPPED: SuppressionReason.BOUNCED,
    EventKind.COMPLAINED: SuppressionReason.COMPLAINED,
}


def suppress_reported(
    connection: Connection, new: Sequence[EventAbout], keys: Keys, now: float
) -> int:
    """Suppress and unsubscribe as new events demand; returns how many suppressions are new."""
    soft = {
        about.address_hash
        for event, about in new
        if about and _consequence(event) is Consequence.COUNT
    }
    failing = _over_threshold(connection, soft)
    unwanted: dict[SuppressionReason, list[tuple[bytes, str, float]]] = defaultdict(list)
    leaving: dict[int, tuple[Event, AttributedDelivery]] = {}
    for event, about in new:
        what = _consequence(event)
        if about is None:
            hashed = hash_of(event.email, keys) if is_transactional(event) else None
            if hashed and ends_mail(event):
                unwanted[_REASONS[event.kind]].append((hashed, event.source, now))
        elif event.kind is EventKind.UNSUBSCRIBED:
            if what in {Consequence.SUPPRESS, Consequence.COUNT}:
                leaving.setdefault(about.subscriber_uid, (event, about))
        elif what is Consequence.SUPPRESS or (
            what is Consequence.COUNT and about.address_hash in failing
        ):
            unwanted[_REASONS[event.kind]].append((about.address_hash, event.source, now))
    subscribers = find_subscribers(connection, leaving)
    consents = []
    for uid, subscriber in subscribers.items():
        event, about = leaving.pop(uid)
        evidence = {"campaign_id": about.campaign_id}
        consents.append((subscriber, Consent(event.source, now, evidence=evidence)))
    # Of subscribers who were deleted since, only the address can be suppressed.
    unwanted[SuppressionReason.UNSUBSCRIBED] = [
        (about.address_hash, event.source, now) for event, about in leaving.values()
    ]
    added = sum(len(suppress_all(connection, reason, told)) for reason, told in unwanted.items())
    return added + sum(result.changed for result in leave_all(connection, consents))


def ends_mail(event: Event) -> bool:
    """Whether an event by itself suppresses the address that it names."""
    return event.kind in _REASONS and _consequence(event) is Consequence.SUPPRESS


def _consequence(event: Event) -> Consequence:
    if event.kind not in REPORTING:
        return Consequence.KEEP
    is_bounce = event.kind in {EventKind.BOUNCED, EventKind.DROPPED}
    kind = FeedbackKind.BOUNCE if is_bounce else FeedbackKind.COMPLAINT
    return consequence(kind, event.verdict, attributed=True)


def _over_threshold(connection: Connection, hashes: Collection[bytes]) -> set[bytes]:
    """The addresses whose soft bounces add up to more than the threshold."""
    ordered = sorted(hashes)
    scores: dict[bytes, Score] = {}
    over: set[bytes] = set()
    for start in range(0, len(ordered), AT_ONCE):
        # By the time that each failure happened: they may arrive in any order.
        rows = connection.execute(
            select(recorded.c.address_hash, recorded.c.at)
            .where(
                recorded.c.address_hash.in_(ordered[start : start + AT_ONCE]),
                recorded.c.verified == 1,
                recorded.c.verdict == ReplyClass.SOFT,
                recorded.c.kind.in_((EventKind.BOUNCED, EventKind.DROPPED)),
            )
            .order_by(recorded.c.at)
        )
        for hashed, at in rows:
            score = scores[hashed] = scores.get(hashed, Score()).plus(at)
            if score.is_too_high:
                over.add(hashed)
    return over
