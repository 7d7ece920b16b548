"""Writes one batch of an import, within the caller's write transaction.

New subscribers get their uids from one random block, so that everything about them can be written
with a few statements over a range, and is adjacent in every index.
"""

from __future__ import annotations

import secrets
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from newsletter.audience.address import address_hash
from newsletter.audience.importing.import_job import CONSENT_COLUMNS, ImportJob
from newsletter.audience.importing.staging import StagedRow
from newsletter.audience.importing.update_existing import update_existing
from newsletter.audience.lists import ensure_list
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

if TYPE_CHECKING:
    from newsletter.audience.keys import Keys

# Committed in well under a second, so that an unsubscribe waits no longer than that.
BATCH = 5000
_BLOCK_BITS = 13
_NEW = (
    "uid",
    "email",
    "email_key",
    "address_hash",
    "first_name",
    "last_name",
    "attributes",
    "language",
    "time_zone",
    "created_at",
    "updated_at",
)


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """A batch as rows for the database, prepared before the transaction begins."""

    staged: Sequence[StagedRow]
    people: Sequence[tuple[Any, ...]]
    first_uid: int

    @property
    def block(self) -> ColumnElement[bool]:
        """The subscribers whose uid is in this batch's block."""
        return subscriber.c.uid.between(self.first_uid, self.first_uid + len(self.people) - 1)


def prepare(staged: Sequence[StagedRow], keys: Keys, at: float) -> PreparedBatch:
    """Hash the addresses and number the rows."""
    # A random block of 8,192: uids must not tell how many subscribers there are.
    first = secrets.randbits(63 - _BLOCK_BITS) << _BLOCK_BITS
    people = [
        (
            uid,
            row.email,
            row.key,
            address_hash(row.key, keys),
            row.first_name,
            row.last_name,
            row.attributes,
            row.language,
            row.time_zone,
            row.joined_at or at,
            at,
        )
        for uid, row in enumerate(staged, start=first)
    ]
    return PreparedBatch(staged, people, first)


def write_batch(connection: Connection, job: ImportJob, batch: PreparedBatch) -> Counter[str]:
    """Write one batch. People who unsubscribed or are suppressed are not re-added.

    Returns:
        The number of rows ``added``, ``updated``, ``unchanged``, or left out by reason.
    """
    which = ensure_list(connection, job.list_name, job.at)
    insert_many(connection, subscriber, _NEW, batch.people, unique="email_key")
    blocked: dict[int, set[str]] = defaultdict(set)
    query = (
        select(subscriber.c.uid, suppression.c.reason)
        .join(suppression, suppression.c.address_hash == subscriber.c.address_hash)
        .where(batch.block)
    )
    for uid, reason in connection.execute(query):
        blocked[uid].add(reason)
    # Nothing about an erased person may be stored again: only the suppression's hash stays.
    erased = {uid for uid, found in blocked.items() if SkipReason.ERASED in found}
    if erased:
        connection.execute(delete(subscriber).where(subscriber.c.uid.in_(erased)))
    known_uids = _missing_uids(connection, batch) - erased
    _join_new(connection, job, which, batch, blocked)
    start = batch.first_uid
    consents = [
        job.consent(uid, row)
        for uid, row in enumerate(batch.staged, start=start)
        if uid not in known_uids and uid not in blocked
    ]
    insert_many(connection, consent_event, CONSENT_COLUMNS, consents)
    counts = Counter(str(first_reason(found)) for found in blocked.values())
    counts["added"] += len(consents)
    if known_uids:
        counts += update_existing(
            connection, job, which, [batch.staged[uid - start] for uid in known_uids]
        )
    return counts


def _missing_uids(connection: Connection, batch: PreparedBatch) -> set[int]:
    """The uids that were not used, because the address was already known (or is erased)."""
    total = select(func.count()).select_from(subscriber).where(batch.block)
    expected = range(batch.first_uid, batch.first_uid + len(batch.people))
    # Mostly all are new: a count is much cheaper than fetching every uid.
    if connection.execute(total).scalar_one() == len(expected):
        return set()
    return set(expected) - set(
        connection.execute(select(subscriber.c.uid).where(batch.block)).scalars()
    )


def _join_new(
    connection: Connection,
    job: ImportJob,
    which: int,
    batch: PreparedBatch,
    blocked: dict[int, set[str]],
) -> None:
    joined = select(
        literal(which),
        subscriber.c.id,
        literal(str(SubscriptionState.ACTIVE)),
        literal(job.at),
        literal(job.at),
    ).where(batch.block)
    connection.execute(insert(subscription).from_select([c.name for c in subscription.c], joined))
    member = select(literal(job.batch), subscriber.c.id).where(batch.block)
    connection.execute(insert(import_member).from_select(["batch", "subscriber_id"], member))
    # On the list, but not active: lifting the suppression later must not start mail.
    gone = [uid for uid, found in blocked.items() if found & ASKED_TO_LEAVE]
    if gone:
        people = select(subscriber.c.id).where(subscriber.c.uid.in_(gone))
        connection.execute(
            update(subscription)
            .where(subscription.c.subscriber_id.in_(people))
            .values(state=SubscriptionState.UNSUBSCRIBED)
        )
