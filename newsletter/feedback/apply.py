"""What follows from events: written down, settled, suppressed, held. All of a batch, or nothing."""

from __future__ import annotations

import logging
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, func, select

from newsletter.audience.consent.unsubscribe import find_readers, leave_all
from newsletter.audience.key_check import check_suppression_key_within
from newsletter.audience.keys import Keys
from newsletter.audience.model import SuppressionReason
from newsletter.audience.subscribers import Consent
from newsletter.audience.suppression import suppress_all
from newsletter.delivery.ledger.recover import resolve_within
from newsletter.delivery.ledger.tables import attempt, campaign_event
from newsletter.delivery.model import Result
from newsletter.delivery.runner.circuit_breaker import trip
from newsletter.feedback.attribution import AT_ONCE, find_deliveries, hash_of, is_about_letter
from newsletter.feedback.event import Event, EventKind
from newsletter.feedback.model import FeedbackKind
from newsletter.feedback.policy import Consequence, Score, consequence
from newsletter.feedback.tables import event
from newsletter.smtp_replies.classify import ReplyClass
from newsletter.store.engine import Store, advisory_lock
from newsletter.store.upsert import insert_many

log = logging.getLogger(__name__)

_NAMES = [column.name for column in event.c if column.name != "id"]
PER = 5000
"""Deliveries for which the number of refusals counts that pauses a campaign."""

_AS_REPORTED = {
    EventKind.BOUNCED: FeedbackKind.BOUNCE,
    EventKind.DROPPED: FeedbackKind.BOUNCE,
    EventKind.COMPLAINED: FeedbackKind.COMPLAINT,
    EventKind.UNSUBSCRIBED: FeedbackKind.COMPLAINT,
}
_REASONS = {
    EventKind.BOUNCED: SuppressionReason.BOUNCED,
    EventKind.DROPPED: SuppressionReason.BOUNCED,
    EventKind.COMPLAINED: SuppressionReason.COMPLAINED,
}


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch did.

    ``kinds`` counts new verified events by kind; ``unverified`` are new too. ``suppressed``: new
    reasons not to mail an address, leaving included. ``settled``: deliveries uncertain until now.
    ``held``: campaigns that were paused. ``asked_to_leave``: new wishes to leave that
    are without proof. ``unproved``: provider ids of all without proof, old or new.
    """

    kinds: Mapping[str, int] = field(default_factory=dict)
    unverified: int = 0
    repeated: int = 0
    suppressed: int = 0
    settled: int = 0
    held: tuple[int, ...] = ()
    asked_to_leave: int = 0
    unproved: frozenset[str] = frozenset()


_Found = tuple[Event, Row[Any] | None]


def apply(store: Store, keys: Keys, events: Sequence[Event], *, hold_after: int) -> Applied:
    """Take in a batch, in one transaction; whatever was taken in before is not taken in again.

    No order of arrival changes the end: an event is only ever added, suppression only grows, and
    a score is computed from all events of the address by the time they happened.

    Args:
        hold_after: So many refusals of us as a sender for 5,000 messages pause a campaign (setting
            ``hold.policy``), counted from its last change of state on; 0 never does.

    Raises:
        RefusedError: The suppression key is not this database's; nothing was kept.
        UnavailableError: The database went away; nothing was kept.
    """
    distinct = list({each.provider_id: each for each in events}.values())
    with store.write() as connection:
        advisory_lock(connection, "events")
        check_suppression_key_within(connection, keys)
        now = store.now(connection)
        found = list(zip(distinct, find_deliveries(connection, distinct, keys), strict=True))
        new = _insert(connection, found, keys, now)
        fresh = [each for each in found if each[0].provider_id in new]
        settled = _settle(connection, found, now)
        too_often = _too_often(connection, fresh)
        suppressed = _follow(connection, fresh, now, too_often)
        suppressed += _follow_letters(connection, fresh, keys, now)
    held = tuple(_hold(store, campaign_id, hold_after) for campaign_id in _refusing(found))
    proved = [(each, row) for each, row in fresh if _is_proved(each, row)]
    return Applied(
        kinds=dict(sorted(Counter(each.kind.value for each, _ in proved).items())),
        unverified=len(fresh) - len(proved),
        repeated=len(events) - len(fresh),
        suppressed=suppressed,
        settled=settled,
        held=tuple(campaign_id for campaign_id in held if campaign_id),
        asked_to_leave=sum(
            each.kind is EventKind.UNSUBSCRIBED and not _is_proved(each, row) for each, row in fresh
        ),
        unproved=frozenset(each.provider_id for each, row in found if not _is_proved(each, row)),
    )


def _is_proved(each: Event, row: Row[Any] | None) -> bool:
    return row is not None or is_about_letter(each)


def _insert(connection: Connection, found: Sequence[_Found], keys: Keys, now: float) -> set[str]:
    """Write events down; gives the ids of those that were not there yet."""
    ids = [each.provider_id for each, _ in found]
    known: set[str] = set()
    for start in range(0, len(ids), AT_ONCE):
        some = event.c.provider_id.in_(ids[start : start + AT_ONCE])
        known.update(connection.execute(select(event.c.provider_id).where(some)).scalars())
    rows = [
        _row(each, delivery, keys, now) for each, delivery in found if each.provider_id not in known
    ]
    insert_many(connection, event, _NAMES, rows)
    return set(ids) - known


def _row(each: Event, delivery: Row[Any] | None, keys: Keys, now: float) -> tuple[Any, ...]:
    if is_about_letter(each):
        return _letter_row(each, keys, now)
    erased = delivery is not None and not delivery.email
    return (
        each.provider_id,
        each.kind.value,
        each.source,
        delivery.campaign_id if delivery else each.campaign_id,
        delivery.position if delivery else each.position,
        delivery.subscriber_uid if delivery else None,
        delivery.address_hash if delivery else hash_of(each.email, keys),
        each.verdict.value,
        int(delivery is not None),
        b"" if erased else _packed(each.payload),
        min(each.at, now),
        now,
    )


def _letter_row(each: Event, keys: Keys, now: float) -> tuple[Any, ...]:
    """Somebody may have typed an address that is not theirs: nothing stays that names its owner,
    but the hash of one that is suppressed.
    """
    hashed = hash_of(each.email, keys) if _ends_mail(each) else None
    at = min(each.at, now)
    named = (each.provider_id, each.kind.value, each.source, each.campaign_id)
    return (*named, None, None, hashed, each.verdict.value, 1, b"", at, now)


def _packed(payload: bytes) -> bytes:
    """Compress; to lay out zlib's usual window takes longer than to fill it with one event."""
    window, memory = (12, 5) if len(payload) <= 1 << 12 else (zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL)
    packer = zlib.compressobj(1, zlib.DEFLATED, window, memory)
    return packer.compress(payload) + packer.flush()


def _settle(connection: Connection, found: Sequence[_Found], now: float) -> int:
    """End doubts: whatever happened to a delivery afterwards, its transport had taken it."""
    places: dict[tuple[int, str], list[int]] = defaultdict(list)
    for each, row in found:
        if row is not None:
            places[row.campaign_id, each.source].append(row.position)
    return sum(
        settle_positions(connection, campaign_id, positions, source, now)
        for (campaign_id, source), positions in places.items()
    )


def settle_positions(
    connection: Connection, campaign_id: int, positions: Sequence[int], source: str, now: float
) -> int:
    """Settle those of these deliveries that are uncertain; gives how many were."""
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
    """Settle doubts that came up after the event that ends them; gives how many.

    A provider may report on a message before the call that carried it has timed out.
    """
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
        return settle_positions(connection, campaign_id, list(positions), "an event", now)


def _follow(
    connection: Connection, fresh: Sequence[_Found], now: float, too_often: set[bytes]
) -> int:
    """Do what new, verified events ask for; gives how many addresses are newly suppressed."""
    unwanted: dict[SuppressionReason, list[tuple[bytes, str, float]]] = defaultdict(list)
    leavers: dict[int, tuple[Event, Row[Any]]] = {}
    for each, row in fresh:
        what = _consequence(each) if row is not None else Consequence.KEEP
        if row is None or what in {Consequence.KEEP, Consequence.ALERT}:
            continue
        if each.kind is EventKind.UNSUBSCRIBED:
            leavers.setdefault(row.subscriber_uid, (each, row))
        elif what is Consequence.SUPPRESS or row.address_hash in too_often:
            unwanted[_REASONS[each.kind]].append((row.address_hash, each.source, now))
    new = sum(len(suppress_all(connection, reason, told)) for reason, told in unwanted.items())
    return new + _leave(connection, leavers, now)


def _follow_letters(connection: Connection, fresh: Sequence[_Found], keys: Keys, now: float) -> int:
    """Suppress the addresses of new complaints and dead mailboxes; gives how many were not yet."""
    unwanted: dict[SuppressionReason, list[tuple[bytes, str, float]]] = defaultdict(list)
    for each, _ in fresh:
        hashed = hash_of(each.email, keys) if is_about_letter(each) and _ends_mail(each) else None
        if hashed:
            unwanted[_REASONS[each.kind]].append((hashed, each.source, now))
    return sum(len(suppress_all(connection, reason, told)) for reason, told in unwanted.items())


def _ends_mail(each: Event) -> bool:
    return each.kind in _REASONS and _consequence(each) is Consequence.SUPPRESS


def _consequence(each: Event) -> Consequence:
    kind = _AS_REPORTED.get(each.kind)
    return consequence(kind, each.verdict, proven=True) if kind else Consequence.KEEP


def _leave(
    connection: Connection, leavers: Mapping[int, tuple[Event, Row[Any]]], now: float
) -> int:
    """End the subscriptions of these uids; gives how many had not left before."""
    people = find_readers(connection, leavers)
    unknown = [
        (row.address_hash, each.source, now)
        for uid, (each, row) in leavers.items()
        if uid not in people
    ]
    known = [
        (person, Consent(leavers[uid][0].source, now, evidence=_evidence(leavers[uid][1])))
        for uid, person in people.items()
    ]
    new = suppress_all(connection, SuppressionReason.UNSUBSCRIBED, unknown)
    return len(new) + sum(result.changed for result in leave_all(connection, known))


def _evidence(row: Row[Any]) -> dict[str, int]:
    return {"campaign_id": row.campaign_id}


def _too_often(connection: Connection, fresh: Sequence[_Found]) -> set[bytes]:
    """Addresses of new temporary failures whose score is past the threshold."""
    counted = {
        row.address_hash for each, row in fresh if row and _consequence(each) is Consequence.COUNT
    }
    scores: dict[bytes, Score] = {}
    too_often = set()
    hashes = sorted(counted)
    for start in range(0, len(hashes), AT_ONCE):
        for hashed, at in _failures(connection, hashes[start : start + AT_ONCE]):
            scores[hashed] = scores.get(hashed, Score()).plus(at)
            if scores[hashed].is_too_high:
                too_often.add(hashed)
    return too_often


def _failures(connection: Connection, hashes: Sequence[bytes]) -> Iterator[tuple[bytes, float]]:
    rows = connection.execute(
        select(event.c.address_hash, event.c.at)
        .where(
            event.c.address_hash.in_(hashes),
            event.c.verified == 1,
            event.c.verdict == ReplyClass.SOFT,
            event.c.kind.in_((EventKind.BOUNCED, EventKind.DROPPED)),
        )
        .order_by(event.c.at)
    )
    return ((bytes(row.address_hash), row.at) for row in rows)


def _refusing(found: Sequence[_Found]) -> list[int]:
    """Campaigns for which a batch holds refusals of us, repeats too: a hold may be owed yet."""
    return sorted(
        {
            row.campaign_id
            for each, row in found
            if row and each.verdict is ReplyClass.BLOCK and each.kind in _AS_REPORTED
        }
    )


def _hold(store: Store, campaign_id: int, hold_after: int) -> int:
    """Pause a campaign if it is refused often; gives its id if it was sending."""
    with store.read() as connection:
        refusals, mailed = _since_last_change(connection, campaign_id)
    facts = {"campaign": campaign_id, "refusals": refusals}
    log.warning("reports refuse us as a sender", extra=facts)
    reason = f"{refusals} reports that came back refuse us as a sender"
    many = 0 < hold_after * max(1.0, mailed / PER) <= refusals
    return campaign_id if many and trip(store, campaign_id, reason) else 0


def _since_last_change(connection: Connection, campaign_id: int) -> tuple[int, int]:
    """Refusals of us and mail accepted, since somebody last looked: started or resumed it."""
    last_change = select(func.max(campaign_event.c.at)).where(
        campaign_event.c.campaign_id == campaign_id
    )
    since = connection.execute(last_change).scalar() or 0.0
    refusals = select(func.count()).where(
        event.c.campaign_id == campaign_id,
        event.c.verified == 1,
        event.c.verdict == ReplyClass.BLOCK,
        event.c.kind.in_(_AS_REPORTED),
        event.c.received_at > since,
    )
    mailed = select(func.count()).where(
        attempt.c.campaign_id == campaign_id,
        attempt.c.result == Result.ACCEPTED,
        attempt.c.at > since,
    )
    return connection.execute(refusals).scalar_one(), connection.execute(mailed).scalar_one()
