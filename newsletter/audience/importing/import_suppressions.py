"""Imported rows of people who unsubscribed or bounced elsewhere: suppressed, and never added."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection, select

from newsletter.audience.address import address_hash
from newsletter.audience.consent.unsubscribe import LockedSubscriber, leave
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
        lines = {row.key: row for row in staged}
        c = subscriber.c
        here = select(c.email_key, c.id, c.uid, c.address_hash).where(c.email_key.in_(list(lines)))
        for key, *locked in connection.execute(here.order_by(c.id).with_for_update()).all():
            row = lines[key]
            evidence = {"file": job.file, "line": row.line}
            consent = Consent(job.source, row.left_at or job.at, evidence=evidence)
            leave(connection, LockedSubscriber._make(locked), consent)
    # Last: `leave` records a consent event only if it finds the suppression new.
    columns = [column.name for column in suppression.c]
    insert_many(connection, suppression, columns, rows, ignore_known=True)
    return Counter(newly_suppressed=len(rows) - before, unchanged=before)
