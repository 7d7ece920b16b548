"""Imported rows of people who unsubscribed or bounced elsewhere: suppressed, and never added."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection, select

from newsletter.audience.address import address_hash
from newsletter.audience.consent.unsubscribe import leave
from newsletter.audience.importing.import_job import ImportJob
from newsletter.audience.importing.staging import StagedRow
from newsletter.audience.model import SuppressionReason
from newsletter.audience.subscribers import Consent
from newsletter.audience.tables import subscriber, suppression
from newsletter.store.upsert import insert_many


def import_suppressions(
    connection: Connection, job: ImportJob, reason: SuppressionReason, staged: Sequence[StagedRow]
) -> Counter[str]:
    """Suppress addresses as of the time in the file; end subscriptions of those who unsubscribed.

    Returns:
        The number of rows ``newly_suppressed`` and ``unchanged``.
    """
    rows = [
        (address_hash(row.key, job.keys), str(reason), job.source, row.left_at or job.at)
        for row in staged
    ]
    hashes = [row[0] for row in rows]
    known = suppression.c.address_hash.in_(hashes)
    query = select(suppression.c.address_hash).where(known, suppression.c.reason == reason)
    before = len(connection.execute(query).all())
    if reason is SuppressionReason.UNSUBSCRIBED:
        _end_subscriptions(connection, job, staged)
    columns = [column.name for column in suppression.c]
    insert_many(connection, suppression, columns, rows, ignore_known=True)
    return Counter(newly_suppressed=len(rows) - before, unchanged=before)


def _end_subscriptions(connection: Connection, job: ImportJob, staged: Sequence[StagedRow]) -> None:
    lines = {row.key: row for row in staged}
    query = select(subscriber).where(subscriber.c.email_key.in_(list(lines)))
    for person in connection.execute(query.order_by(subscriber.c.id).with_for_update()).all():
        row = lines[person.email_key]
        evidence = {"file": job.file, "line": row.line}
        leave(connection, person, Consent(job.source, row.left_at or job.at, evidence=evidence))
