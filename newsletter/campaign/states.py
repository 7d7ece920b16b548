"""The states of a campaign, and the only way to change one.

An issue is draft, checked or approved before it has a campaign: that follows from its findings and
approvals. A campaign row starts as ``approved``: its audience is frozen, and nothing may leave yet.
"""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from newsletter.errors import InputError, RefusedError
from newsletter.store.schema import campaign, campaign_event

TRANSITIONS: dict[str, frozenset[str]] = {
    "approved": frozenset({"sending", "cancelled"}),
    "sending": frozenset({"paused", "finished", "cancelled", "failed"}),
    "paused": frozenset({"sending", "cancelled"}),
    "failed": frozenset({"sending", "cancelled"}),
    "finished": frozenset(),
    "cancelled": frozenset(),
}

UNFINISHED = ("sending", "paused", "failed")
HELD = ("paused", "failed")
"""What a person must let go on."""


def move(
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
    if to not in TRANSITIONS[state]:
        allowed = ", ".join(sorted(TRANSITIONS[state])) or "nothing"
        raise RefusedError(f"campaign {campaign_id} is {state}: it can become {allowed}, not {to}")
    finished = now if not TRANSITIONS[to] else None
    connection.execute(
        update(campaign).where(campaign.c.id == campaign_id).values(state=to, finished_at=finished)
    )
    connection.execute(
        insert(campaign_event).values(
            campaign_id=campaign_id, from_state=state, to_state=to, by=by, note=note, at=now
        )
    )


def resume(connection: Connection, campaign_id: int, *, by: str, now: float) -> None:
    """Let a campaign that is held go on.

    Raises:
        InputError: There is no such campaign.
        RefusedError: It is not held: nobody has confirmed it, say.
    """
    state = connection.execute(
        select(campaign.c.state).where(campaign.c.id == campaign_id)
    ).scalar()
    if state is not None and state not in HELD:
        raise RefusedError(f"campaign {campaign_id} is {state}: there is nothing to resume")
    move(connection, campaign_id, "sending", by=by, now=now)
