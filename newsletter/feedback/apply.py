"""Apply events to the database: record, settle, suppress, pause. All of a batch, or nothing."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from newsletter.audience.key_check import check_suppression_key_within
from newsletter.audience.keys import Keys
from newsletter.delivery.ledger.recover import resolve_within
from newsletter.delivery.ledger.tables import attempt
from newsletter.delivery.model import Result
from newsletter.feedback import tables
from newsletter.feedback.attribution import (
    AT_ONCE,
    EventAbout,
    find_deliveries,
    hash_of,
    is_transactional,
)
from newsletter.feedback.event import Event, EventKind
from newsletter.feedback.refusals import REPORTING, pause_refused
from newsletter.feedback.suppress import ends_mail, suppress_reported
from newsletter.smtp_replies.classify import ReplyClass
from newsletter.store.engine import Store, advisory_lock
from newsletter.store.upsert import insert_many

_COLUMNS = [column.name for column in tables.event.c if column.name != "id"]


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
        suppressed = suppress_reported(connection, new, keys, now)
    # Repeats as well: a run that was killed right here did not pause the campaign.
    refused = [
        about.campaign_id
        for event, about in found
        if about and event.verdict is ReplyClass.BLOCK and event.kind in REPORTING
    ]
    held = pause_refused(store, refused, hold_after)
    unattributed = {
        event.provider_id for event, about in found if not (about or is_transactional(event))
    }
    verified = [event for event, _ in new if event.provider_id not in unattributed]
    return Applied(
        kinds=dict(sorted(Counter(event.kind.value for event in verified).items())),
        unverified=len(new) - len(verified),
        repeated=len(events) - len(new),
        suppressed=suppressed,
        settled=settled,
        held=held,
        unsubscribe_requests=sum(
            event.kind is EventKind.UNSUBSCRIBED and event.provider_id in unattributed
            for event, _ in new
        ),
        unattributed=frozenset(unattributed),
    )


def _insert_new(
    connection: Connection, found: Sequence[EventAbout], keys: Keys, now: float
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
        transactional = is_transactional(event)
        position = about.position if about else event.position
        hashed = about.address_hash if about else hash_of(event.email, keys)
        if transactional:
            # Somebody may have typed an address that is not theirs: nothing is kept that names
            # its owner, except the hash of an address that is suppressed.
            position = None
            hashed = hashed if ends_mail(event) else None
        payload = b""
        if not transactional and (about is None or about.email):  # not erased
            # Preparing zlib's usual window takes longer than filling it with one event.
            is_small = len(event.payload) <= 1 << 12
            window, memory = (12, 5) if is_small else (zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL)
            packer = zlib.compressobj(1, zlib.DEFLATED, window, memory)
            payload = packer.compress(event.payload) + packer.flush()
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
                int(transactional or about is not None),
                payload,
                min(event.at, now),
                now,
            )
        )
    insert_many(connection, tables.event, _COLUMNS, rows)
    return set(ids) - known


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
