"""After a crash: take back the chunks of dead owners, and say of each delivery what is known."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, and_, select, update

from newsletter.delivery.ledger.attempts import Place, append, requeue
from newsletter.delivery.ledger.journal import Evidence, read_evidence, read_origin
from newsletter.delivery.ledger.leases import LEASE_S, record_late_outcomes
from newsletter.delivery.ledger.outcomes import in_doubt
from newsletter.delivery.ledger.tables import attempt, campaign, chunk
from newsletter.delivery.model import Origin, Outcome, Result
from newsletter.errors import InputError
from newsletter.store.engine import Store


def has_left_behind(store: Store, journal_dir: Path) -> bool:
    """Whether any sender, dead or alive, left something that `recover` would look at."""
    if journal_dir.is_dir() and any(journal_dir.iterdir()):
        return True
    with store.read() as connection:
        leased = connection.execute(select(chunk.c.id).where(chunk.c.state == "leased").limit(1))
        return leased.first() is not None


def recover(store: Store, journal_dir: Path) -> None:
    """Settle what dead owners had offered, and make their chunks ready again.

    What the journal says was answered gets that outcome, what it proves was never begun goes back
    into the queue, and all else is uncertain: it is not sent again.

    An owner is dead when its journal lies here and nobody holds it, or when its lease ran out. On
    SQLite there is no other machine, and the caller holds the `sending_lock`: there every owner
    that does not hold its journal is dead.

    Then the journals are read of those whose chunks others took back meanwhile: each settles what
    is uncertain because of its owner, and is removed.
    """
    _shorten(store)
    for orphan in _orphans(store, journal_dir):
        with store.write() as connection:
            mine = _is_unchanged(connection, orphan.row)
            if mine:
                _reclaim(connection, orphan.row, orphan.evidence, store.now(connection))
        # Whoever else is at it may die before its commit, and then the journal is read again.
        if mine and not orphan.held:
            (journal_dir / orphan.row.journal).unlink(missing_ok=True)
    for path, origin in _left_behind(store, journal_dir):
        evidence = read_evidence(path)
        if evidence is not None and _settle_by(store, path.name, origin, evidence):
            path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Orphan:
    """A chunk whose owner is gone; ``held``: gone but not dead, its journal is in use."""

    row: Row[Any]
    evidence: Evidence
    held: bool


def _shorten(store: Store) -> None:
    """End leases on time that were given before the database's clock was set back."""
    with store.read() as connection:
        longest = store.now(connection) + LEASE_S
        too_long = and_(chunk.c.state == "leased", chunk.c.lease_until > longest)
        if connection.execute(select(chunk.c.id).where(too_long)).first() is None:
            return
    with store.write() as connection:
        connection.execute(update(chunk).where(too_long).values(lease_until=longest))


def _orphans(store: Store, journal_dir: Path) -> list[_Orphan]:
    with store.read() as connection:
        now = store.now(connection)
        leased = connection.execute(select(chunk).where(chunk.c.state == "leased")).all()
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
            requeue(connection, place, now, positions=found)
    return len(rows)


def _reclaim(connection: Connection, orphan: Row[Any], evidence: Evidence, now: float) -> None:
    doubtful = in_doubt(orphan.campaign_id, orphan.id).subquery()
    positions = connection.execute(select(doubtful.c.position)).scalars()
    found = [_explained(evidence.outcome(position), orphan) for position in positions]
    append(connection, Place(orphan.campaign_id, orphan.id), found, now)
    connection.execute(
        update(chunk)
        .where(chunk.c.id == orphan.id)
        .values(state="ready", owner="", fence=orphan.fence + 1, lease_until=0)
    )


def _explained(outcome: Outcome, orphan: Row[Any]) -> Outcome:
    """With the name of the journal, wherever it lies, that may yet say more."""
    if outcome.result != Result.UNCERTAIN:
        return outcome
    known = f"its sender, {orphan.owner}, was cut off and left the journal {orphan.journal}"
    return outcome._replace(reply=known)


def _left_behind(store: Store, journal_dir: Path) -> list[tuple[Path, Origin]]:
    """The journals of leases of this database that are lost; those of another's are not ours."""
    paths = sorted(journal_dir.iterdir()) if journal_dir.is_dir() else []
    origins = [(path, origin) for path in paths if (origin := read_origin(path))]
    if not origins:
        return []
    with store.read() as connection:
        return [each for each in origins if _is_lost(connection, *each)]


def _is_lost(connection: Connection, path: Path, origin: Origin) -> bool:
    row = connection.execute(
        select(chunk.c.state, chunk.c.journal)
        .join(campaign, campaign.c.id == chunk.c.campaign_id)
        .where(
            chunk.c.id == origin.chunk_id,
            campaign.c.id == origin.campaign_id,
            campaign.c.created_at == origin.created_at,
        )
    ).first()
    return row is not None and (row.state != "leased" or row.journal != path.name)


def _settle_by(store: Store, journal: str, origin: Origin, evidence: Evidence) -> bool:
    """Settle what is uncertain because of the owner of this journal.

    Returns:
        Whether the journal has nothing more to say: all that it names is in the ledger.
    """
    place = Place(origin.campaign_id, origin.chunk_id)
    its = (attempt.c.campaign_id == place.campaign_id, attempt.c.chunk_id == place.chunk_id)
    with store.write() as connection:
        state = connection.execute(
            select(chunk.c.state).where(chunk.c.id == place.chunk_id).with_for_update()
        ).scalar_one()
        uncertain = connection.execute(
            select(attempt.c.position).where(
                *its, attempt.c.result == Result.UNCERTAIN, attempt.c.reply.endswith(journal)
            )
        ).scalars()
        known = [evidence.outcome(position) for position in uncertain]
        known = [outcome for outcome in known if outcome.result != Result.UNCERTAIN]
        record_late_outcomes(connection, place, state, known, store.now(connection))
        named = evidence.begun | evidence.replies.keys()
        stored = select(attempt.c.position).where(*its, attempt.c.position.in_(named))
        return named == set(connection.execute(stored).scalars())
