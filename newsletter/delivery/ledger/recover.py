"""After a crash: reclaim the chunks of dead owners, and record what is known of each delivery."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, and_, select, update

from newsletter.delivery.ledger.attempts import Place, append, requeue
from newsletter.delivery.ledger.journal import Evidence, read_evidence, read_origin
from newsletter.delivery.ledger.leases import LEASE_S, mark_unanswered, record_late_outcomes
from newsletter.delivery.ledger.states import ChunkState, move_chunk
from newsletter.delivery.ledger.tables import attempt, campaign, chunk
from newsletter.delivery.model import Origin, Outcome, Result
from newsletter.errors import InputError
from newsletter.store.engine import Store


def has_left_behind(store: Store, journal_dir: Path) -> bool:
    """Whether any sender, dead or alive, has a journal or a lease for `recover` to look at."""
    if journal_dir.is_dir() and any(journal_dir.iterdir()):
        return True
    with store.read() as connection:
        leased = connection.execute(
            select(chunk.c.id).where(chunk.c.state == ChunkState.LEASED).limit(1)
        )
        return leased.first() is not None


def recover(store: Store, journal_dir: Path) -> None:
    """Settle what dead owners had offered, and make their chunks ready again.

    A reply in the journal is the outcome, what the journal proves was never begun is requeued, and
    everything else is uncertain: it is not sent again.

    An owner is dead if its journal is here and not locked, or if its lease has expired. On SQLite
    there is no other machine, and the caller holds the `sending_lock`: there every owner that does
    not lock its journal is dead.

    Then the journals of chunks that others have reclaimed are read: each settles what is uncertain
    because of its owner, and is removed.
    """
    # Leases granted before the database's clock was set back would last for too long.
    with store.read() as connection:
        longest = store.now(connection) + LEASE_S
        too_long = and_(chunk.c.state == ChunkState.LEASED, chunk.c.lease_until > longest)
        found = connection.execute(select(chunk.c.id).where(too_long)).first()
    if found is not None:
        with store.write() as connection:
            connection.execute(update(chunk).where(too_long).values(lease_until=longest))
    for orphan in _orphans(store, journal_dir):
        # Removed after the commit: if this process dies before, the next reads it again.
        if _reclaim(store, orphan) and not orphan.held:
            (journal_dir / orphan.journal).unlink(missing_ok=True)
    for path, origin in _left_behind(store, journal_dir):
        evidence = read_evidence(path)
        if evidence is not None and _settle_by(store, path.name, origin, evidence):
            path.unlink(missing_ok=True)


class _Orphan(NamedTuple):
    """A chunk whose owner is gone; ``held``: its lease expired, but its journal is in use."""

    campaign_id: int
    chunk_id: int
    owner: str
    journal: str
    fence: int
    lease_until: float
    evidence: Evidence
    held: bool

    def explain(self, position: int) -> Outcome:
        """What is known of a delivery; if nothing, which journal may say more later."""
        outcome = self.evidence.outcome(position)
        if outcome.result != Result.UNCERTAIN:
            return outcome
        # `_settle_by` finds these attempts by the journal at the end.
        known = f"its sender, {self.owner}, died and left the journal {self.journal}"
        return outcome._replace(reply=known)


def _orphans(store: Store, journal_dir: Path) -> list[_Orphan]:
    with store.read() as connection:
        now = store.now(connection)
        leased = connection.execute(select(chunk).where(chunk.c.state == ChunkState.LEASED)).all()
    found = []
    for row in leased:
        evidence = read_evidence(journal_dir / row.journal)
        if store.is_sqlite:
            dead = evidence is not None
        else:
            # An unlocked journal of this boot proves death at once; the owner of any other may be
            # alive on another machine until its lease runs out.
            here = evidence is not None and evidence.complete
            dead = here or row.lease_until < now
        if dead:
            found.append(
                _Orphan(
                    row.campaign_id,
                    row.id,
                    row.owner,
                    row.journal,
                    row.fence,
                    row.lease_until,
                    evidence or Evidence(),
                    held=evidence is None,
                )
            )
    return found


def _reclaim(store: Store, orphan: _Orphan) -> bool:
    """Settle what a dead owner had offered, and make its chunk ready; False if it was too late."""
    with store.write() as connection:
        # Another process may have reclaimed it since, or its owner may have renewed the lease.
        mine = connection.execute(
            select(chunk.c.id)
            .where(
                chunk.c.id == orphan.chunk_id,
                chunk.c.state == ChunkState.LEASED,
                chunk.c.fence == orphan.fence,
                chunk.c.lease_until == orphan.lease_until,
            )
            .with_for_update(skip_locked=True)
        ).first()
        if mine is None:
            return False
        place = Place(orphan.campaign_id, orphan.chunk_id)
        mark_unanswered(connection, place, store.now(connection), orphan.explain)
        move_chunk(
            connection,
            orphan.chunk_id,
            ChunkState.READY,
            # The higher fence ends the owner's lease for good, in case it was only frozen.
            {"owner": "", "fence": orphan.fence + 1, "lease_until": 0.0},
        )
        return True


def resolve(
    store: Store, campaign_id: int, positions: list[int], result: Result, *, note: str
) -> int:
    """Settle uncertain deliveries, by evidence or by a person.

    Args:
        result: ACCEPTED, FAILED, or RETURNED to send them again.
        note: Who says so, and why; recorded with the attempt.

    Returns:
        How many were still uncertain and have been changed.

    Raises:
        InputError: Any other result was given.
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
        raise InputError(
            f"an uncertain delivery cannot become {result}",
            fix="choose accepted, failed, or returned to send it again",
        )
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
    for position, chunk_id, state in rows:
        members[chunk_id, state].append(position)
    for (chunk_id, state), found in members.items():
        place = Place(campaign_id, chunk_id)
        known = [Outcome(position, result, reply=note) for position in found]
        append(connection, place, known, now)
        # A chunk that is not done yet requeues returned deliveries at its end.
        if result == Result.RETURNED and state == ChunkState.DONE:
            requeue(connection, place, now, positions=found)
    return len(rows)


def _left_behind(store: Store, journal_dir: Path) -> list[tuple[Path, Origin]]:
    """The journals of lost leases of this database."""
    paths = sorted(journal_dir.iterdir()) if journal_dir.is_dir() else []
    origins = [(path, origin) for path in paths if (origin := read_origin(path))]
    if not origins:
        return []
    found = []
    with store.read() as connection:
        for path, origin in origins:
            row = connection.execute(
                select(chunk.c.state, chunk.c.journal)
                .join(campaign, campaign.c.id == chunk.c.campaign_id)
                .where(
                    chunk.c.id == origin.chunk_id,
                    campaign.c.id == origin.campaign_id,
                    # Another database may have the same numbers.
                    campaign.c.created_at == origin.created_at,
                )
            ).first()
            if row and (row.state != ChunkState.LEASED or row.journal != path.name):
                found.append((path, origin))
    return found


def _settle_by(store: Store, journal: str, origin: Origin, evidence: Evidence) -> bool:
    """Settle what is uncertain because of the owner of this journal.

    Returns:
        Whether everything that the journal names is in the ledger.
    """
    place = Place(origin.campaign_id, origin.chunk_id)
    with store.write() as connection:
        locked = select(chunk.c.state).where(chunk.c.id == place.chunk_id).with_for_update()
        state = ChunkState(connection.execute(locked).scalar_one())
        uncertain = connection.execute(
            select(attempt.c.position).where(
                place.attempts,
                attempt.c.result == Result.UNCERTAIN,
                attempt.c.reply.endswith(journal),
            )
        ).scalars()
        known = [evidence.outcome(position) for position in uncertain]
        known = [outcome for outcome in known if outcome.result != Result.UNCERTAIN]
        record_late_outcomes(connection, place, state, known, store.now(connection))
        named = evidence.begun | evidence.replies.keys()
        stored = select(attempt.c.position).where(place.attempts, attempt.c.position.in_(named))
        return named == set(connection.execute(stored).scalars())
