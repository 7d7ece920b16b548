"""The states of a campaign, and the only way to change one.

An issue is draft, checked or approved before it has a campaign: that follows from its findings and
approvals. A campaign row starts as ``approved``: its audience is frozen, and nothing may leave yet.
``scheduled`` waits for its time; ``finished`` sends again only for whom a person puts back.
"""

from __future__ import annotations

import logging

from sqlalchemy import Connection, insert, or_, select, update

from newsletter.delivery.ledger.chunks import is_done
from newsletter.delivery.ledger.tables import attempt, campaign, campaign_event, delivery
from newsletter.errors import InputError, RefusedError
from newsletter.store.engine import Store, advisory_lock, analyze

log = logging.getLogger(__name__)

TRANSITIONS: dict[str, frozenset[str]] = {
    "approved": frozenset({"scheduled", "sending", "cancelled"}),
    "scheduled": frozenset({"sending", "paused", "cancelled"}),
    "sending": frozenset({"paused", "finished", "cancelled", "failed"}),
    "paused": frozenset({"scheduled", "sending", "cancelled"}),
    "failed": frozenset({"sending", "cancelled"}),
    "finished": frozenset({"sending"}),
    "cancelled": frozenset(),
}

UNFINISHED = ("scheduled", "sending", "paused", "failed")
ENDED = ("finished", "cancelled")
HELD = ("paused", "failed")
"""What a person must let go on."""


def lock_issue(connection: Connection, slug: str) -> None:
    """Wait for whoever else decides to whom this issue goes; they wait until this transaction ends.

    Args:
        connection: A write transaction. What it read before may be out of date.
    """
    advisory_lock(connection, f"issue {slug}")


def transition(
    connection: Connection, campaign_id: int, to: str, *, by: str, now: float, note: str = ""
) -> None:
    """Change a campaign's state and write down who did it, when and why.

    Args:
        connection: A write transaction.
        now: Unix seconds.

    Raises:
        InputError: There is no such campaign.
        RefusedError: The transition is not in `TRANSITIONS`.
    """
    state = connection.execute(
        select(campaign.c.state).where(campaign.c.id == campaign_id).with_for_update()
    ).scalar()
    if state is None:
        raise InputError(f"there is no campaign {campaign_id}", fix="see `send.py status`")
    if to == state:
        raise RefusedError(f"campaign {campaign_id} is {state} already")
    if to not in TRANSITIONS[state]:
        allowed = " or ".join(sorted(TRANSITIONS[state])) or "nothing else any more"
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


def resume(connection: Connection, campaign_id: int, *, by: str, now: float) -> str:
    """Let a campaign that is held go on, at its time if that is still to come.

    Returns:
        Its state: ``sending`` or ``scheduled``.

    Raises:
        InputError: There is no such campaign.
        RefusedError: It is not held: nobody has confirmed it, say.
    """
    row = connection.execute(select(campaign).where(campaign.c.id == campaign_id)).first()
    if row is not None and row.state not in HELD:
        raise RefusedError(f"campaign {campaign_id} is {row.state}: there is nothing to resume")
    early = row is not None and row.state == "paused" and row.not_before > now
    to = "scheduled" if early else "sending"
    transition(connection, campaign_id, to, by=by, now=now)
    return to


def reopen(connection: Connection, campaign_id: int, *, by: str, now: float, note: str) -> str:
    """Let a campaign send to whom a person puts back into the queue, even if it is finished.

    Whoever else puts back or begins a campaign of this issue waits until this transaction ends:
    of two at once each would find the same people left out, and both would have them mailed.

    Returns:
        Its state now.

    Raises:
        InputError: There is no such campaign.
        RefusedError: It is cancelled, nobody has confirmed it, or the issue went on in another
            campaign, which may have reached who is put back here.
    """
    wanted = campaign.c.id == campaign_id
    slug = connection.execute(select(campaign.c.slug).where(wanted)).scalar()
    if slug is None:
        raise InputError(f"there is no campaign {campaign_id}", fix="see `send.py status`")
    lock_issue(connection, slug)
    state = connection.execute(select(campaign.c.state).where(wanted)).scalar_one()
    _require_last(connection, campaign_id)
    if state == "finished":
        transition(connection, campaign_id, "sending", by=by, now=now, note=note)
        return "sending"
    if state not in UNFINISHED:
        raise RefusedError(f"campaign {campaign_id} is {state}: it mails nobody any more")
    return str(state)


def _require_last(connection: Connection, campaign_id: int) -> None:
    this, other = campaign.alias("this"), campaign.alias("other")
    later = connection.execute(
        select(other.c.id)
        .join(this, this.c.slug == other.c.slug)
        .where(
            this.c.id == campaign_id,
            other.c.id != campaign_id,
            other.c.state != "approved",
            or_(other.c.id > campaign_id, other.c.finished_at.is_(None)),
        )
    ).first()
    if later:
        raise RefusedError(
            f"this issue went on in campaign {later.id}, which may have reached them",
            fix="send the issue again to those it left out, with `--again REASON` if need be",
        )


def done(store: Store, campaign_id: int | None = None) -> list[int]:
    """The campaigns that are sending and have nothing left to send.

    Args:
        campaign_id: Only this one; every campaign by default.
    """
    with store.read() as connection:
        sending = select(campaign.c.id).where(campaign.c.state == "sending")
        if campaign_id is not None:
            sending = sending.where(campaign.c.id == campaign_id)
        return [each for each in connection.execute(sending).scalars() if is_done(connection, each)]


def finish(store: Store, campaign_id: int, *, by: str, note: str = "") -> bool:
    """End a campaign, if it still is `done`; False when it is not."""
    with store.write() as connection:
        state = connection.execute(
            select(campaign.c.state).where(campaign.c.id == campaign_id).with_for_update()
        ).scalar()
        if state != "sending" or not is_done(connection, campaign_id):
            return False
        transition(connection, campaign_id, "finished", by=by, now=store.now(connection), note=note)
        analyze(connection, delivery, attempt)
        return True
