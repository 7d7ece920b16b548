"""After a crash: take back the chunks of dead owners, and say of each delivery what is known."""

from __future__ import annotations

from collections import defaultdict
from math import inf
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select, update

from newsletter.deliver.attempts import Place, append, regroup
from newsletter.deliver.journal import Evidence, read_evidence
from newsletter.deliver.model import Outcome, Result
from newsletter.deliver.tally import in_doubt
from newsletter.errors import InputError
from newsletter.store import Store
from newsletter.store.schema import attempt, chunk


def recover(store: Store, campaign_id: int, journal_dir: Path) -> None:
    """Settle what dead owners had offered, and make their chunks ready again.

    What the journal says was answered gets that outcome, what it proves was never begun goes back
    into the queue, and all else is uncertain: it is not sent again.

    On SQLite the caller holds `newsletter.deliver.lock.sending_lock`, so that every owner is
    dead; on PostgreSQL those are whose lease ran out.
    """
    with store.write() as connection:
        now = store.now(connection)
        gone_before = inf if store.is_sqlite else now
        orphans = connection.execute(
            select(chunk)
            .where(
                chunk.c.campaign_id == campaign_id,
                chunk.c.state == "leased",
                chunk.c.lease_until < gone_before,
            )
            .with_for_update(skip_locked=True)
        ).all()
        journals = [journal_dir / orphan.journal for orphan in orphans]
        evidence = [read_evidence(journal) for journal in journals]
        for orphan, known in zip(orphans, evidence, strict=True):
            _take_back(connection, orphan, known or Evidence(), now)
    for journal, known in zip(journals, evidence, strict=True):
        if known is not None:
            journal.unlink(missing_ok=True)


def resolve(
    store: Store, campaign_id: int, positions: list[int], result: Result, *, note: str
) -> int:
    """Say what became of uncertain deliveries, by evidence or a person's word.

    Args:
        result: ACCEPTED, FAILED, or RETURNED to send them again.
        note: Who says so, and why; kept with the attempt.

    Returns:
        How many were still uncertain, and so changed.

    Raises:
        InputError: The result is none of these.
    """
    if result not in {Result.ACCEPTED, Result.FAILED, Result.RETURNED}:
        raise InputError("an uncertain delivery was accepted, failed, or is sent again")
    with store.write() as connection:
        now = store.now(connection)
        rows = connection.execute(
            select(attempt.c.position, attempt.c.chunk_id, chunk.c.state)
            .join(chunk, chunk.c.id == attempt.c.chunk_id)
            .where(
                attempt.c.campaign_id == campaign_id,
                attempt.c.position.in_(positions),
                attempt.c.result == Result.UNCERTAIN,
            )
            .with_for_update()
        ).all()
        members: dict[tuple[int, str], list[int]] = defaultdict(list)
        for row in rows:
            members[row.chunk_id, row.state].append(row.position)
        for (chunk_id, state), found in members.items():
            place = Place(campaign_id, chunk_id)
            known = [Outcome(position, result, reply=note) for position in found]
            append(connection, place, known, now)
            # A chunk that is not done yet regroups what is returned when it ends.
            if result == Result.RETURNED and state == "done":
                regroup(connection, place, now, positions=found)
        return len(rows)


def _take_back(connection: Connection, orphan: Row[Any], evidence: Evidence, now: float) -> None:
    doubtful = in_doubt(orphan.campaign_id, orphan.id).subquery()
    positions = connection.execute(select(doubtful.c.position)).scalars()
    found = [evidence.outcome(position) for position in positions]
    append(connection, Place(orphan.campaign_id, orphan.id), found, now)
    connection.execute(
        update(chunk)
        .where(chunk.c.id == orphan.id)
        .values(state="ready", owner="", fence=orphan.fence + 1, lease_until=0)
    )
