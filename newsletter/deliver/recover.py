"""After a crash: take back the chunks of dead owners, and say of each delivery what is known."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select, update

from newsletter.deliver.attempts import Place, append, regroup
from newsletter.deliver.journal import Evidence, read_evidence
from newsletter.deliver.ledger import Lease, settle
from newsletter.deliver.model import Outcome, Result
from newsletter.deliver.tally import in_doubt
from newsletter.errors import InputError
from newsletter.store import Store
from newsletter.store.schema import attempt, chunk


def recover(store: Store, campaign_id: int, journal_dir: Path) -> None:
    """Settle what dead owners had offered, and make their chunks ready again.

    What the journal says was answered gets that outcome, what it proves was never begun goes back
    into the queue, and all else is uncertain: it is not sent again.

    An owner is dead when its journal lies here and nobody holds it, or when its lease ran out. On
    SQLite there is no other machine, and the caller holds `newsletter.deliver.lock.sending_lock`:
    there every owner is dead that does not hold its journal.
    """
    for orphan in _orphans(store, campaign_id, journal_dir):
        with store.write() as connection:
            mine = _is_unchanged(connection, orphan.row)
            if mine:
                _take_back(connection, orphan.row, orphan.evidence, store.now(connection))
        # Whoever else is at it may die before its commit, and then the journal is read again.
        if mine and not orphan.held:
            (journal_dir / orphan.row.journal).unlink(missing_ok=True)


def settle_late(store: Store, lease: Lease, journal_dir: Path) -> bool:
    """Store the replies that came while the database was away, after the lease was lost.

    Returns:
        False while the lease is not lost: then `recover` does it.
    """
    path = journal_dir / lease.journal
    with store.read() as connection:
        row = connection.execute(select(chunk).where(chunk.c.id == lease.chunk_id)).first()
    if row is not None and row.state == "leased" and row.fence == lease.fence:
        return False
    evidence = read_evidence(path)
    if evidence and evidence.replies:
        settle(store, lease, list(evidence.replies.values()))
    path.unlink(missing_ok=True)
    return True


@dataclass(frozen=True, slots=True)
class _Orphan:
    """A chunk whose owner is gone; ``held``: gone but not dead, its journal is in use."""

    row: Row[Any]
    evidence: Evidence
    held: bool


def _orphans(store: Store, campaign_id: int, journal_dir: Path) -> list[_Orphan]:
    with store.read() as connection:
        now = store.now(connection)
        leased = connection.execute(
            select(chunk).where(chunk.c.campaign_id == campaign_id, chunk.c.state == "leased")
        ).all()
    found = []
    for row in leased:
        evidence = read_evidence(journal_dir / row.journal)
        if store.is_sqlite:
            dead = evidence is not None
        else:
            here = evidence is not None and evidence.complete
            dead = here or row.lease_until < now
        if dead:
            found.append(_Orphan(row, evidence or Evidence(), held=evidence is None))
    return found


def _is_unchanged(connection: Connection, seen: Row[Any]) -> bool:
    """Lock a chunk, unless it has another owner by now, or its owner shows signs of life."""
    query = select(chunk.c.id).where(
        chunk.c.id == seen.id,
        chunk.c.state == "leased",
        chunk.c.fence == seen.fence,
        chunk.c.lease_until == seen.lease_until,
    )
    return connection.execute(query.with_for_update(skip_locked=True)).first() is not None


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
    with store.write() as connection:
        return resolve_within(
            connection, campaign_id, positions, result, note=note, now=store.now(connection)
        )


def resolve_within(
    connection: Connection,
    campaign_id: int,
    positions: list[int],
    result: Result,
    *,
    note: str,
    now: float,
) -> int:
    """The same as `resolve`, within the caller's write transaction; ``now`` in Unix seconds."""
    if result not in {Result.ACCEPTED, Result.FAILED, Result.RETURNED}:
        raise InputError("an uncertain delivery was accepted, failed, or is sent again")
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
