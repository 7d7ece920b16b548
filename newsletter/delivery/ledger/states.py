"""The states of campaigns and of chunks, and the only functions that change one.

Before it has a campaign, an issue is draft, checked or approved: that follows from its findings and
approvals. A campaign row starts as ``approved``: its audience snapshot is taken, and nothing may be
sent yet.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from newsletter.delivery.ledger.tables import campaign, campaign_event, chunk
from newsletter.errors import InputError, RefusedError
from newsletter.store.engine import advisory_lock

log = logging.getLogger(__name__)

SYSTEM = "system"
"""Recorded as the author of a change that no person made."""


class CampaignState(StrEnum):
    """The state of a campaign, from approval to its end."""

    APPROVED = "approved"
    """Its audience snapshot is taken; nothing is sent before a person confirms it."""
    SCHEDULED = "scheduled"
    """It waits for its start time."""
    SENDING = "sending"
    PAUSED = "paused"
    FAILED = "failed"
    FINISHED = "finished"
    """Every delivery has its outcome. It sends again only to requeued recipients."""
    CANCELLED = "cancelled"


class ChunkKind(StrEnum):
    """Why a chunk was created, which also says what its ``first`` and ``last`` count.

    In a ``FIRST`` chunk they are positions; all others list their members in `chunk_member`.
    """

    FIRST = "first"
    RETRY = "retry"
    """Its deliveries were deferred and are due again."""
    RETURNED = "returned"
    """Nothing was sent to its recipients."""
    LIMITED = "limited"
    """Nothing was sent because their domain's rate was used up; all are of one domain."""


class ChunkState(StrEnum):
    """Whether a chunk waits for a sender, has one, or is finished."""

    READY = "ready"
    LEASED = "leased"
    DONE = "done"


TRANSITIONS: Mapping[CampaignState, frozenset[CampaignState]] = {
    CampaignState.APPROVED: frozenset(
        {CampaignState.SCHEDULED, CampaignState.SENDING, CampaignState.CANCELLED}
    ),
    # From scheduled to scheduled: rescheduled for another time.
    CampaignState.SCHEDULED: frozenset(
        {
            CampaignState.SCHEDULED,
            CampaignState.SENDING,
            CampaignState.PAUSED,
            CampaignState.CANCELLED,
        }
    ),
    CampaignState.SENDING: frozenset(
        {
            CampaignState.PAUSED,
            CampaignState.FINISHED,
            CampaignState.CANCELLED,
            CampaignState.FAILED,
        }
    ),
    CampaignState.PAUSED: frozenset(
        {CampaignState.SCHEDULED, CampaignState.SENDING, CampaignState.CANCELLED}
    ),
    CampaignState.FAILED: frozenset({CampaignState.SENDING, CampaignState.CANCELLED}),
    CampaignState.FINISHED: frozenset({CampaignState.SENDING}),
    CampaignState.CANCELLED: frozenset(),
}

_CHUNK_BEFORE: Mapping[ChunkState, ChunkState] = {
    ChunkState.LEASED: ChunkState.READY,
    ChunkState.READY: ChunkState.LEASED,
    ChunkState.DONE: ChunkState.LEASED,
}
"""The only state from which a chunk can enter each state."""

UNFINISHED = (
    CampaignState.SCHEDULED,
    CampaignState.SENDING,
    CampaignState.PAUSED,
    CampaignState.FAILED,
)
ENDED = (CampaignState.FINISHED, CampaignState.CANCELLED)
HELD = (CampaignState.PAUSED, CampaignState.FAILED)
"""States that only a person can end, with `resume`."""
AT_REST = tuple(
    state
    for state in CampaignState
    if state not in {CampaignState.SCHEDULED, CampaignState.SENDING}
)
"""States in which nothing is sent unless a person acts."""


def lock_issue(connection: Connection, slug: str) -> None:
    """Lock the decision about who receives this issue until this transaction ends.

    Args:
        connection: A write transaction. What it read before may be out of date.
    """
    advisory_lock(connection, f"issue {slug}")


def lock_state(connection: Connection, campaign_id: int) -> CampaignState:
    """A campaign's state, locked until this transaction ends.

    Args:
        connection: A write transaction.

    Raises:
        InputError: There is no such campaign.
    """
    # The strongest row lock: inserting a chunk waits for it, too (its foreign key locks the
    # campaign), so that no campaign finishes while another transaction requeues a recipient.
    state = connection.execute(
        select(campaign.c.state).where(campaign.c.id == campaign_id).with_for_update()
    ).scalar()
    if state is None:
        raise InputError(f"there is no campaign {campaign_id}", fix="see `./send.py status`")
    return CampaignState(state)


def transition(
    connection: Connection,
    campaign_id: int,
    to: CampaignState,
    *,
    by: str,
    now: float,
    note: str = "",
) -> None:
    """Change a campaign's state and record who did it, when and why.

    Args:
        connection: A write transaction.
        now: Unix seconds.

    Raises:
        InputError: There is no such campaign.
        RefusedError: The transition is not in `TRANSITIONS`.
    """
    state = lock_state(connection, campaign_id)
    if to not in TRANSITIONS[state]:
        if to == state:
            raise RefusedError(f"campaign {campaign_id} is already {state}")
        allowed = " or ".join(sorted(TRANSITIONS[state] - {state})) or "nothing else"
        raise RefusedError(f"campaign {campaign_id} is {state}: it can become {allowed}, not {to}")
    finished = now if to in ENDED else None
    connection.execute(
        update(campaign).where(campaign.c.id == campaign_id).values(state=to, finished_at=finished)
    )
    connection.execute(
        insert(campaign_event).values(
            campaign_id=campaign_id, from_state=state, to_state=to, by=by, note=note, at=now
        )
    )
    log.info("campaign moved", extra={"campaign": campaign_id, "before": state, "after": to})


def resume(connection: Connection, campaign_id: int, *, by: str, now: float) -> CampaignState:
    """Let a held campaign continue, at its start time if that is still to come.

    Returns:
        Its state: ``SENDING`` or ``SCHEDULED``.

    Raises:
        InputError: There is no such campaign.
        RefusedError: It is not held: for example, nobody has confirmed it.
    """
    state = lock_state(connection, campaign_id)
    if state not in HELD:
        raise RefusedError(f"campaign {campaign_id} is {state}: there is nothing to resume")
    begins_at = connection.execute(
        select(campaign.c.not_before).where(campaign.c.id == campaign_id)
    ).scalar_one()
    early = state is CampaignState.PAUSED and begins_at > now
    to = CampaignState.SCHEDULED if early else CampaignState.SENDING
    transition(connection, campaign_id, to, by=by, now=now)
    return to


def reopen(
    connection: Connection, campaign_id: int, *, by: str, now: float, note: str
) -> CampaignState:
    """Let a campaign send to recipients requeued by a person, even if it is finished.

    Returns:
        Its state now.

    Raises:
        InputError: There is no such campaign.
        RefusedError: It is cancelled, nobody has confirmed it, or the issue was continued in
            another campaign, which may have reached the same recipients.
    """
    slug = connection.execute(select(campaign.c.slug).where(campaign.c.id == campaign_id)).scalar()
    if slug is None:
        raise InputError(f"there is no campaign {campaign_id}", fix="see `./send.py status`")
    # Two that requeue or launch at once would each find the same people left out, and mail them.
    lock_issue(connection, slug)
    state = lock_state(connection, campaign_id)
    later = connection.execute(
        select(campaign.c.id).where(
            campaign.c.slug == slug,
            campaign.c.id != campaign_id,
            campaign.c.state != CampaignState.APPROVED,
            or_(campaign.c.id > campaign_id, campaign.c.finished_at.is_(None)),
        )
    ).scalar()
    if later:
        raise RefusedError(
            f"this issue was continued in campaign {later}, which may have reached them",
            fix="send the issue to the people it left out, with `--again REASON` if necessary",
        )
    if state is CampaignState.FINISHED:
        transition(connection, campaign_id, CampaignState.SENDING, by=by, now=now, note=note)
        return CampaignState.SENDING
    if state not in UNFINISHED:
        raise RefusedError(f"campaign {campaign_id} is {state}: it sends nothing anymore")
    return state


def reopen_finished(connection: Connection, campaign_id: int, now: float) -> None:
    """Let a finished campaign send again, since uncertain messages turned out not to be sent.

    Args:
        connection: A write transaction that has not added a chunk to the campaign yet: two that
            have would deadlock in `lock_state`.
        now: Unix seconds.
    """
    # Such news comes late from a sender that was cut off or frozen. Finished campaigns are not
    # looked at, so the requeued deliveries would never be sent.
    if lock_state(connection, campaign_id) is CampaignState.FINISHED:
        note = "uncertain deliveries were requeued"
        transition(connection, campaign_id, CampaignState.SENDING, by=SYSTEM, now=now, note=note)


def move_chunk(
    connection: Connection,
    chunk_id: int,
    to: ChunkState,
    values: Mapping[str, str | float | ColumnElement[float]],
) -> None:
    """Change a chunk's state together with other columns of its lease.

    Args:
        connection: A write transaction that has locked the chunk's row and checked its state.

    Raises:
        RuntimeError: The chunk cannot enter this state from its present one.
    """
    moved = connection.execute(
        update(chunk)
        .where(chunk.c.id == chunk_id, chunk.c.state == _CHUNK_BEFORE[to])
        .values(state=to, **values)
    )
    if moved.rowcount != 1:
        raise RuntimeError(f"chunk {chunk_id} cannot become {to}: it is not {_CHUNK_BEFORE[to]}")
