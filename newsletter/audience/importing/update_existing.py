"""The rows of a batch whose addresses are subscribers already: what changes about them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, and_, select, update

from newsletter.audience.importing.import_job import CONSENT_COLUMNS, ImportJob
from newsletter.audience.importing.staging import StagedRow
from newsletter.audience.mailability import SkipReason, first_reason
from newsletter.audience.model import ASKED_TO_LEAVE, SubscriptionState
from newsletter.audience.tables import (
    consent_event,
    import_member,
    subscriber,
    subscription,
    suppression,
)
from newsletter.store.upsert import insert_many

_DATA = ("first_name", "last_name", "language", "time_zone")


@dataclass(slots=True)
class _Changes:
    joining: list[tuple[Any, ...]] = field(default_factory=list)
    confirming: list[int] = field(default_factory=list)
    consents: list[tuple[Any, ...]] = field(default_factory=list)
    news: dict[int, dict[str, Any]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


def update_existing(
    connection: Connection, job: ImportJob, list_id: int, staged: Sequence[StagedRow]
) -> Counter[str]:
    """Bring people who are known already up to date; who left or is suppressed stays as they are.

    Returns:
        How many rows came to what, as `write_batch`.
    """
    rows = {row.key: row for row in staged}
    people = _find(connection, list_id, rows)
    reasons = _reasons(connection, [person.address_hash for person in people])
    changes = _Changes()
    for person in people:
        suppressed = reasons.get(person.address_hash, set())
        _meet(changes, job, list_id, person, rows[person.email_key], suppressed)
    members = [(job.batch, person.id) for person in people]
    insert_many(connection, import_member, ("batch", "subscriber_id"), members, ignore_known=True)
    _write(connection, job, list_id, changes)
    return changes.counts


def _meet(
    changes: _Changes,
    job: ImportJob,
    list_id: int,
    person: Row[Any],
    row: StagedRow,
    suppressed: set[str],
) -> None:
    if person.state is None:
        left = suppressed & ASKED_TO_LEAVE
        state = SubscriptionState.UNSUBSCRIBED if left else SubscriptionState.ACTIVE
        changes.joining.append((list_id, person.id, str(state), job.at, job.at))
    left_list = person.state == SubscriptionState.UNSUBSCRIBED
    why = first_reason(suppressed | ({SkipReason.UNSUBSCRIBED} if left_list else set()))
    if why is not None:
        changes.counts[why] += 1
        return
    news = _news(person, row)
    if news:
        changes.news[person.id] = news
    if person.state == SubscriptionState.ACTIVE:
        changes.counts["updated" if news else "unchanged"] += 1
        return
    if person.state == SubscriptionState.PENDING:
        changes.confirming.append(person.id)
    changes.consents.append(job.consent(person.uid, row))
    changes.counts["added"] += 1


def _news(person: Row[Any], row: StagedRow) -> dict[str, Any]:
    """What the file says anew of a person; a blank cell says nothing."""
    news: dict[str, Any] = {
        name: value
        for name in _DATA
        if (value := getattr(row, name)) and value != person._mapping[name]
    }
    if row.attributes != "{}":
        merged = person.attributes | json.loads(row.attributes)
        if merged != person.attributes:
            news["attributes"] = merged
    return news


def _find(connection: Connection, list_id: int, keys: Collection[str]) -> Sequence[Row[Any]]:
    here = and_(subscription.c.subscriber_id == subscriber.c.id, subscription.c.list_id == list_id)
    query = (
        select(subscriber, subscription.c.state)
        .outerjoin(subscription, here)
        .where(subscriber.c.email_key.in_(list(keys)))
        .order_by(subscriber.c.id)
    )
    return connection.execute(query.with_for_update(of=subscriber)).all()


def _reasons(connection: Connection, hashes: Sequence[bytes]) -> dict[bytes, set[str]]:
    found: dict[bytes, set[str]] = {}
    query = select(suppression.c.address_hash, suppression.c.reason)
    for hashed, reason in connection.execute(query.where(suppression.c.address_hash.in_(hashes))):
        found.setdefault(hashed, set()).add(reason)
    return found


def _write(connection: Connection, job: ImportJob, list_id: int, changes: _Changes) -> None:
    insert_many(connection, subscription, [c.name for c in subscription.c], changes.joining)
    insert_many(connection, consent_event, CONSENT_COLUMNS, changes.consents)
    if changes.confirming:
        pending = subscription.c.subscriber_id.in_(changes.confirming)
        connection.execute(
            update(subscription)
            .where(subscription.c.list_id == list_id, pending)
            .values(state=SubscriptionState.ACTIVE, updated_at=job.at)
        )
    for person_id, news in changes.news.items():
        connection.execute(
            update(subscriber).where(subscriber.c.id == person_id).values(**news, updated_at=job.at)
        )
