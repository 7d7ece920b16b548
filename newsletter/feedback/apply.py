"""Apply events to the database: record, settle, suppress, pause. All of a batch, or nothing."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from newsletter.audience.consent.unsubscribe import find_readers, leave_all
from newsletter.audience.key_check import check_suppression_key_within
from newsletter.audience.keys import Keys
from newsletter.audience.model import SuppressionReason
from newsletter.audience.subscribers import Consent
from newsletter.audience.suppression import suppress_all
from newsletter.delivery.ledger.recover import resolve_within
from newsletter.delivery.ledger.tables import attempt
from newsletter.delivery.model import Result
from newsletter.feedback import tables
from newsletter.feedback.attribution import (
    AT_ONCE,
    AttributedDelivery,
    find_deliveries,
    hash_of,
    is_about_letter,
)
from newsletter.feedback.event import Event, EventKind
from newsletter.feedback.model import FeedbackKind
from newsletter.feedback.policy import Consequence, Score, consequence
from newsletter.feedback.refusals import REPORTING, pause_refused
from newsletter.smtp_replies.classify import ReplyClass
from newsletter.store.engine import Store, advisory_lock
from newsletter.store.upsert import insert_many

_COLUMNS = [column.name for column in tables.event.c if column.name != "id"]
_REASONS = {
    EventKind.BOUNCED: SuppressionReason.BOUNCED,
    EventKind.DROPPED: SuppressionReason.BOUNCED,
    EventKind.COMPLAINED: SuppressionReason.COMPLAINED,
}


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch changed.

    ``kinds`` counts new verified events by kind; ``unverified`` events are new, too.
    ``suppressed``: new reasons not to mail an address, unsubscribing included. ``settled``:
    deliveries that were uncertain until now. ``held``: campaigns that were paused.
    ``unsubscribe_requests``: new ones that are unverified. ``unattributed``: provider ids of all
    unverified events, new or repeated.
    """

    kinds: Mapping[str, int] = field(default_factory=dict)
    unverified: int = 0
    repeated: int = 0
    suppressed: int = 0
    settled: int = 0
    held: tuple[int, ...] = ()
    unsubscribe_requests: int = 0
    unattributed: frozenset[str] = frozenset()


_Found = tuple[Event, AttributedDelivery | None]


def apply(store: Store, keys: Keys, events: Sequence[Event], *, hold_after: int) -> Applied:
    """Apply a batch in one transaction; events that were applied before change nothing.

    The order of arrival does not matter: events are only ever added, suppression only grows, and
    a score is computed from all events of the address by the time they happened.

    Args:
        hold_after: How many rejections of us as a sender, for 5,000 messages, pause a campaign
            (setting ``hold.policy``), counted from its last change of state; 0 never pauses it.

    Raises:
        RefusedError: The suppression key is not that of this database; nothing was kept.
        UnavailableError: The database went away; nothing was kept.
    """
    distinct = list({event.provider_id: event for event in events}.values())
    with store.write() as connection:
        # Otherwise two batches at once could each find the same event new.
        advisory_lock(connection, "events")
        check_suppression_key_within(connection, keys)
        now = store.now(connection)
        found = list(zip(distinct, find_deliveries(connection, distinct, keys), strict=True))
        new_ids = _insert_new(connection, found, keys, now)
        new = [(event, about) for event, about in found if event.provider_id in new_ids]
        places: dict[tuple[int, str], list[int]] = defaultdict(list)
        # Repeats as well: a delivery may have become uncertain after its event was recorded.
        for event, about in found:
            if about:
                places[about.campaign_id, event.source].append(about.position)
        settled = sum(
            _settle(connection, campaign_id, positions, source, now)
            for (campaign_id, source), positions in places.items()
        )
        suppressed = _suppress(connection, new, keys, now)
    # Repeats as well: a run that was killed right here did not pause the campaign.
    refused = [
        about.campaign_id
        for event, about in found
        if about and event.verdict is ReplyClass.BLOCK and event.kind in REPORTING
    ]
    unattributed = {
        event.provider_id for event, about in found if not (about or is_about_letter(event))
    }
    verified = [event for event, _ in new if event.provider_id not in unattributed]
    return Applied(
        kinds=dict(sorted(Counter(event.kind.value for event in verified).items())),
        unverified=len(new) - len(verified),
        repeated=len(events) - len(new),
        suppressed=suppressed,
        settled=settled,
        held=pause_refused(store, refused, hold_after),
        unsubscribe_requests=sum(
            event.kind is EventKind.UNSUBSCRIBED and event.provider_id in unattributed
            for event, _ in new
        ),
        unattributed=frozenset(unattributed),
    )


def _insert_new(
    connection: Connection, found: Sequence[_Found], keys: Keys, now: float
) -> set[str]:
    """Record the events that are new; returns their provider ids."""
    ids = [event.provider_id for event, _ in found]
    known: set[str] = set()
    for start in range(0, len(ids), AT_ONCE):
        some = tables.event.c.provider_id.in_(ids[start : start + AT_ONCE])
        known.update(connection.execute(select(tables.event.c.provider_id).where(some)).scalars())
    rows: list[tuple[object, ...]] = []
    for event, about in found:
        if event.provider_id in known:
            continue
        is_letter = is_about_letter(event)
        position = about.position if about else event.position
        hashed = about.address_hash if about else hash_of(event.email, keys)
        if is_letter:
            # Somebody may have typed an address that is not theirs: nothing is kept that names
            # its owner, except the hash of an address that is suppressed.
            position = None
            hashed = hashed if _ends_mail(event) else None
        is_erased = about is not None and not about.email
        rows.append(
            (
                event.provider_id,
                event.kind.value,
                event.source,
                about.campaign_id if about else event.campaign_id,
                position,
                about.subscriber_uid if about else None,
                hashed,
                event.verdict.value,
                int(is_letter or about is not None),
                b"" if is_letter or is_erased else _compressed(event.payload),
                min(event.at, now),
                now,
            )
        )
    insert_many(connection, tables.event, _COLUMNS, rows)
    return set(ids) - known


def _compressed(payload: bytes) -> bytes:
    # Preparing zlib's usual window takes longer than filling it with one event.
    window, memory = (12, 5) if len(payload) <= 1 << 12 else (zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL)
    packer = zlib.compressobj(1, zlib.DEFLATED, window, memory)
    return packer.compress(payload) + packer.flush()


def _settle(
    connection: Connection, campaign_id: int, positions: Sequence[int], source: str, now: float
) -> int:
    """Settle those of these deliveries that are uncertain; returns how many were.

    As accepted, even for a bounce: whatever happened to it afterwards, the transport had taken it.
    """
    return sum(
        resolve_within(
            connection,
            campaign_id,
            list(positions[start : start + AT_ONCE]),
            Result.ACCEPTED,
            note=f"reported on by {source}",
            now=now,
        )
        for start in range(0, len(positions), AT_ONCE)
    )


def settle_known(store: Store, campaign_id: int) -> int:
    """Settle deliveries that became uncertain after an event about them; returns how many.

    A provider may report on a message before the call that carried it has timed out.
    """
    event = tables.event
    with store.write() as connection:
        positions = connection.execute(
            select(attempt.c.position)
            .join(
                event,
                (event.c.campaign_id == attempt.c.campaign_id)
                & (event.c.position == attempt.c.position),
            )
            .where(
                attempt.c.campaign_id == campaign_id,
                attempt.c.result == Result.UNCERTAIN,
                event.c.verified == 1,
            )
            .distinct()
        ).scalars()
        now = store.now(connection)
        return _settle(connection, campaign_id, list(positions), "an event", now)


def _suppress(connection: Connection, new: Sequence[_Found], keys: Keys, now: float) -> int:
    """Suppress and unsubscribe as new events demand; returns how many addresses are new to it."""
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
            hashed = hash_of(event.email, keys) if is_about_letter(event) else None
            if hashed and _ends_mail(event):
                unwanted[_REASONS[event.kind]].append((hashed, event.source, now))
        elif event.kind is EventKind.UNSUBSCRIBED:
            if what in {Consequence.SUPPRESS, Consequence.COUNT}:
                leaving.setdefault(about.subscriber_uid, (event, about))
        elif what is Consequence.SUPPRESS or (
            what is Consequence.COUNT and about.address_hash in failing
        ):
            unwanted[_REASONS[event.kind]].append((about.address_hash, event.source, now))
    subscribers = find_readers(connection, leaving)
    consents = [
        (subscriber, Consent(event.source, now, evidence={"campaign_id": about.campaign_id}))
        for uid, subscriber in subscribers.items()
        for event, about in [leaving[uid]]
    ]
    # Of a subscriber who was deleted since, the address is left.
    unwanted[SuppressionReason.UNSUBSCRIBED] += [
        (about.address_hash, event.source, now)
        for uid, (event, about) in leaving.items()
        if uid not in subscribers
    ]
    added = sum(len(suppress_all(connection, reason, told)) for reason, told in unwanted.items())
    return added + sum(result.changed for result in leave_all(connection, consents))


def _ends_mail(event: Event) -> bool:
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
    event = tables.event
    for start in range(0, len(ordered), AT_ONCE):
        # By the time that each failure happened: they may arrive in any order.
        rows = connection.execute(
            select(event.c.address_hash, event.c.at)
            .where(
                event.c.address_hash.in_(ordered[start : start + AT_ONCE]),
                event.c.verified == 1,
                event.c.verdict == ReplyClass.SOFT,
                event.c.kind.in_((EventKind.BOUNCED, EventKind.DROPPED)),
            )
            .order_by(event.c.at)
        )
        for hashed, at in ((bytes(row.address_hash), row.at) for row in rows):
            score = scores[hashed] = scores.get(hashed, Score()).plus(at)
            if score.is_too_high:
                over.add(hashed)
    return over
