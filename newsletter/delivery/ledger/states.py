"""The states of campaigns and of chunks, and the only functions that change one.

An issue is draft, checked or approved before it has a campaign: that follows from its findings and
approvals. A campaign row starts as ``approved``: its audience snapshot is taken, and nothing may
leave yet.
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
"""Who did it, where no person did."""


class CampaignState(StrEnum):
    """Where a campaign is between approval and its end."""

    APPROVED = "approved"
    """Its audience snapshot is taken; nothing leaves before a person confirms it."""
    SCHEDULED = "scheduled"
    """It waits for its time."""
    SENDING = "sending"
    PAUSED = "paused"
    FAILED = "failed"
    FINISHED = "finished"
    """Every delivery has its outcome. It sends again only to recipients who are requeued."""
    CANCELLED = "cancelled"


class ChunkKind(StrEnum):
    """Why a chunk was made, which also says what its ``first`` and ``last`` count.

    Those of a ``FIRST`` chunk are positions, all others list their members in `chunk_member`.
    """

    FIRST = "first"
    RETRY = "retry"
    """The recipients were refused for now, and are due again."""
    RETURNED = "returned"
    """Nothing was sent to them."""
    LIMITED = "limited"
    """Nothing was sent to them because their domain's rate was used up; all are of one domain."""


class ChunkState(StrEnum):
    """Whether a chunk waits for a sender, has one, or has nothing left to offer."""

    READY = "ready"
    LEASED = "leased"
    DONE = "done"


TRANSITIONS: Mapping[CampaignState, frozenset[CampaignState]] = {
    CampaignState.APPROVED: frozenset(
        {CampaignState.SCHEDULED, CampaignState.SENDING, CampaignState.CANCELLED}
    ),
    # From scheduled to scheduled: for another time.
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
"""The one state from which a chunk gets into each."""

UNFINISHED = (
    CampaignState.SCHEDULED,
    CampaignState.SENDING,
    CampaignState.PAUSED,
    CampaignState.FAILED,
)
ENDED = (CampaignState.FINISHED, CampaignState.CANCELLED)
HELD = (CampaignState.PAUSED, CampaignState.FAILED)
"""States that only a person ends, with `resume`."""
AT_REST = tuple(
    state
    for state in CampaignState
    if state not in {CampaignState.SCHEDULED, CampaignState.SENDING}
)
"""States in which nothing leaves before a person says so."""


def lock_issue(connection: Connection, slug: str) -> None:
    """Wait for others who decide to whom this issue goes; they wait until this transaction ends.

    Args:
        connection: A write transaction. What it read before may be out of date.
    """
    advisory_lock(connection, f"issue {slug}")


def lock_state(connection: Connection, campaign_id: int) -> CampaignState:
    """A campaign's state, which nobody else changes until this transaction ends.

    Args:
        connection: A write transaction.

    Raises:
        InputError: There is no such campaign.
    """
    # The strongest row lock: a new chunk waits for it, too (its foreign key locks the campaign),
    # so that no campaign finishes while another transaction requeues somebody in it.
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
            raise RefusedError(f"campaign {campaign_id} is {state} already")
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
    """Let a held campaign continue, at its time if that is still to come.

    Returns:
        Its state: ``SENDING`` or ``SCHEDULED``.

    Raises:
        InputError: There is no such campaign.
        RefusedError: It is not held: nobody has confirmed it, say.
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
    """Let a campaign send to recipients whom a person requeues, even if it is finished.

    Others who requeue recipients of this issue or start a campaign of it wait until this
    transaction ends: two at once would each find the same people left out, and both would have
    them mailed.

    Returns:
        Its state now.

    Raises:
        InputError: There is no such campaign.
        RefusedError: It is cancelled, nobody has confirmed it, or the issue continued in another
            campaign, which may have reached the same recipients.
    """
    slug = connection.execute(select(campaign.c.slug).where(campaign.c.id == campaign_id)).scalar()
    if slug is None:
        raise InputError(f"there is no campaign {campaign_id}", fix="see `./send.py status`")
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
            f"this issue continued in campaign {later}, which may have reached them",
            fix="send the issue again to those it left out, with `--again REASON` if need be",
        )
    if state is CampaignState.FINISHED:
        transition(connection, campaign_id, CampaignState.SENDING, by=by, now=now, note=note)
        return CampaignState.SENDING
    if state not in UNFINISHED:
        raise RefusedError(f"campaign {campaign_id} is {state}: it mails nobody any more")
    return state


def reopen_finished(connection: Connection, campaign_id: int, now: float) -> None:
    """Let a finished campaign send again, since uncertain recipients turned out not to have it.

    The news comes late from a sender that was cut off or frozen; without this nobody would look.

    Args:
        connection: A write transaction that has added no chunk to the campaign yet. Two that had,
            and then both waited for `lock_state`, would wait for each other.
        now: Unix seconds.
    """
    if lock_state(connection, campaign_id) is CampaignState.FINISHED:
        note = "uncertain recipients came back into the queue"
        transition(connection, campaign_id, CampaignState.SENDING, by=SYSTEM, now=now, note=note)


def move_chunk(
    connection: Connection,
    chunk_id: int,
    to: ChunkState,
    values: Mapping[str, str | float | ColumnElement[float]],
) -> None:
    """Change a chunk's state, and other columns of its lease with it.

    Args:
        connection: A write transaction that has locked the chunk's row, and knows its state.

    Raises:
        RuntimeError: It is in another state than that from which it gets there.
    """
    moved = connection.execute(
        update(chunk)
        .where(chunk.c.id == chunk_id, chunk.c.state == _CHUNK_BEFORE[to])
        .values(state=to, **values)
    )
    if moved.rowcount != 1:
        raise RuntimeError(f"chunk {chunk_id} cannot become {to}: it is not {_CHUNK_BEFORE[to]}")
