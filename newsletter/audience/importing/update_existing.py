"""Updates the subscribers that an import finds already in the database."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, select, update

from newsletter.audience.importing.import_job import CONSENT_COLUMNS, ImportJob
from newsletter.audience.importing.staging import StagedRow
from newsletter.audience.mailability import SkipReason, first_reason
from newsletter.audience.model import ASKED_TO_LEAVE, SubscriptionState
from newsletter.audience.subscribers import Subscriber
from newsletter.audience.tables import (
    consent_event,
    import_member,
    subscriber,
    subscription,
    suppression,
)
from newsletter.store.upsert import insert_many

_DATA = ("first_name", "last_name", "language", "time_zone")


class _Known(NamedTuple):
    """A known subscriber, and the state of their subscription to the list (None: never on it)."""

    subscriber: Subscriber
    state: str | None


def update_existing(
    connection: Connection, job: ImportJob, list_id: int, staged: Sequence[StagedRow]
) -> Counter[str]:
    """Update known subscribers; those who unsubscribed or are suppressed stay as they are.

    Returns:
        The number of rows by outcome, as `write_batch`.
    """
    rows = {row.key: row for row in staged}
    known = _find(connection, list_id, rows)
    reasons: dict[bytes, set[str]] = defaultdict(set)
    hashes = [each.subscriber.address_hash for each in known]
    query = select(suppression.c.address_hash, suppression.c.reason)
    for hashed, reason in connection.execute(query.where(suppression.c.address_hash.in_(hashes))):
        reasons[bytes(hashed)].add(reason)

    counts: Counter[str] = Counter()
    joining: list[tuple[Any, ...]] = []
    confirming: list[int] = []
    consents: list[tuple[Any, ...]] = []
    for found, state in known:
        row, suppressed = rows[found.email_key], reasons[bytes(found.address_hash)]
        if state is None:
            # On the list in any case, so that an undo or a lifted suppression has it to restore.
            left = suppressed & ASKED_TO_LEAVE
            joined = SubscriptionState.UNSUBSCRIBED if left else SubscriptionState.ACTIVE
            joining.append((list_id, found.id, str(joined), job.at, job.at))
        if state == SubscriptionState.UNSUBSCRIBED:
            suppressed = suppressed | {SkipReason.UNSUBSCRIBED}
        why = first_reason(suppressed)
        if why is not None:
            counts[why] += 1
            continue
        changes = _changes(found, row)
        if changes:
            connection.execute(
                update(subscriber)
                .where(subscriber.c.id == found.id)
                .values(**changes, updated_at=job.at)
            )
        if state == SubscriptionState.ACTIVE:
            counts["updated" if changes else "unchanged"] += 1
            continue
        if state == SubscriptionState.PENDING:
            confirming.append(found.id)
        consents.append(job.consent(found.uid, row))
        counts["added"] += 1

    members = [(job.batch, each.subscriber.id) for each in known]
    insert_many(connection, import_member, ("batch", "subscriber_id"), members, ignore_known=True)
    insert_many(connection, subscription, [c.name for c in subscription.c], joining)
    insert_many(connection, consent_event, CONSENT_COLUMNS, consents)
    if confirming:
        pending = subscription.c.subscriber_id.in_(confirming)
        connection.execute(
            update(subscription)
            .where(subscription.c.list_id == list_id, pending)
            .values(state=SubscriptionState.ACTIVE, updated_at=job.at)
        )
    return counts


def _find(connection: Connection, list_id: int, keys: Collection[str]) -> list[_Known]:
    here = and_(subscription.c.subscriber_id == subscriber.c.id, subscription.c.list_id == list_id)
    query = (
        select(subscriber, subscription.c.state)
        .outerjoin(subscription, here)
        .where(subscriber.c.email_key.in_(list(keys)))
        .order_by(subscriber.c.id)
    )
    # Locked in one order, as an unsubscribe locks: neither overwrites what the other decides.
    rows = connection.execute(query.with_for_update(of=subscriber))
    return [_Known(Subscriber._make(own), state) for *own, state in rows]


def _changes(known: Subscriber, row: StagedRow) -> Mapping[str, Any]:
    """The fields that the file changes; a blank cell changes nothing."""
    changes: dict[str, Any] = {
        name: value
        for name in _DATA
        if (value := getattr(row, name)) and value != getattr(known, name)
    }
    if row.attributes != "{}":
        merged = {**known.attributes, **json.loads(row.attributes)}
        if merged != known.attributes:
            changes["attributes"] = merged
    return changes
