"""When a campaign may start: at a set time, or after an undo window.

Neither depends on a particular process: the time is in the campaign's row, and the waiting command
or a worker, whichever checks first, starts it once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, select, update

from newsletter.campaign.context import AppContext
from newsletter.delivery.ledger import states
from newsletter.delivery.ledger.states import SYSTEM, CampaignState
from newsletter.delivery.ledger.tables import campaign
from newsletter.errors import InputError, RefusedError
from newsletter.settings.model import Settings
from newsletter.store.engine import Store

LOOK_S = 0.5
_FIRST_YEAR, _LAST_YEAR = 1970, 9000
"""Beyond these, Python cannot convert every time to another time zone."""


def parse_when(text: str, now: float) -> float:
    """Parse a start time: ISO 8601, with an offset or in this machine's time zone.

    Args:
        text: Like ``2026-12-01 09:00`` or ``2026-12-01T09:00+01:00``.
        now: Unix seconds.

    Returns:
        Unix seconds.

    Raises:
        InputError: It is not such a time, is in the past, or occurs twice or never because the
            clocks are changed.
    """
    hint = "write 2026-12-01T09:00, or with an offset 2026-12-01T09:00+01:00"
    try:
        wanted = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(f"not a date and time: {text!r}", fix=hint) from None
    # A date alone would mean midnight, which few people intend.
    if len(text.strip()) <= len("2026-12-01"):
        raise InputError(f"no time of day given: {text!r}", fix=hint)
    if not _FIRST_YEAR <= wanted.year <= _LAST_YEAR:
        raise InputError(f"the year {wanted.year} is out of range", fix=hint)
    if wanted.tzinfo is None:
        naive = wanted
        # An hour that occurs twice has two offsets, and so has one that is skipped (PEP 495).
        wanted, second = (naive.replace(fold=fold).astimezone() for fold in (0, 1))
        if wanted.utcoffset() != second.utcoffset():
            what = "never" if wanted.replace(tzinfo=None) != naive else "twice"
            raise InputError(
                f"the clocks are changed on that day: {naive} occurs {what}",
                fix=f"add the offset: {naive.isoformat()}{wanted:%z}",
            )
    if wanted.timestamp() <= now:
        raise InputError(f"{shown(wanted.timestamp())} is in the past", fix="omit --at to send now")
    return wanted.timestamp()


def shown(at: float) -> str:
    """A local time for people, with its offset."""
    return f"{datetime.fromtimestamp(at).astimezone():%a %d %b %Y %H:%M:%S %z}"


def put_off(
    connection: Connection, campaign_id: int, not_before: float, *, by: str, now: float
) -> None:
    """Schedule an approved campaign, or reschedule one that is waiting.

    Raises:
        RefusedError: It is already sending, or ended.
    """
    note = f"for {shown(not_before)}"
    states.transition(connection, campaign_id, CampaignState.SCHEDULED, by=by, now=now, note=note)
    connection.execute(
        update(campaign).where(campaign.c.id == campaign_id).values(not_before=not_before)
    )


def start_due(store: Store, settings: Settings) -> list[int]:
    """Start every scheduled campaign that is due; pause those that are far too late.

    Any number of processes may call it at once.

    Returns:
        The campaigns that were started.
    """
    with store.read() as connection:
        now = store.now(connection)
        due = connection.execute(
            select(campaign.c.id)
            .where(campaign.c.state == CampaignState.SCHEDULED, campaign.c.not_before <= now)
            .order_by(campaign.c.not_before)
        )
        ids = due.scalars().all()
    begun = []
    for campaign_id in ids:
        with store.write() as connection:
            now = store.now(connection)
            # Checked again under a lock: another process may have started or rescheduled it.
            state = states.lock_state(connection, campaign_id)
            not_before = connection.execute(
                select(campaign.c.not_before).where(campaign.c.id == campaign_id)
            ).scalar_one()
            if state is not CampaignState.SCHEDULED or not_before > now:
                continue
            late = now - not_before
            on_time = bool(late <= settings.schedule_grace)
            # What was right to send yesterday may be wrong today: a person decides.
            note = "" if on_time else f"{late / 3600:.1f} hours late: nothing was sent"
            to = CampaignState.SENDING if on_time else CampaignState.PAUSED
            states.transition(connection, campaign_id, to, by=SYSTEM, now=now, note=note)
            if on_time:
                begun.append(campaign_id)
    return begun


def wait(
    store: Store, settings: Settings, campaign_id: int, tell: Callable[[float], None] | None = None
) -> bool:
    """Wait until any process starts a scheduled campaign; return at once if it was started.

    Args:
        tell: Called about twice a second with the seconds left.

    Returns:
        Whether it had to wait.

    Raises:
        RefusedError: It was paused or cancelled meanwhile, or is far too late.
    """
    waited = False
    while True:
        with store.read() as connection:
            now = store.now(connection)
            state, not_before = connection.execute(
                select(campaign.c.state, campaign.c.not_before).where(campaign.c.id == campaign_id)
            ).one()
        if state in {CampaignState.SENDING, CampaignState.FINISHED}:
            return waited
        require_running(campaign_id, state)
        waited = True
        left = not_before - now
        if left <= 0:
            # A worker may try the same at this moment: only one of the two succeeds.
            start_due(store, settings)
            continue
        if tell:
            tell(left)
        # Short, since it may be cancelled or rescheduled meanwhile.
        time.sleep(min(left, LOOK_S))


def require_running(campaign_id: int, state: str | None) -> None:
    """Refuse to continue a campaign that is neither sending nor scheduled.

    Args:
        state: None if there is no such campaign anymore.

    Raises:
        RefusedError: It is held, ended or deleted.
    """
    if state not in {CampaignState.SCHEDULED, CampaignState.SENDING}:
        raise RefusedError(
            f"campaign {campaign_id} is {state or 'gone'}",
            fix=f"run `./send.py resume {campaign_id}`, then the same command again"
            if state in states.HELD
            else "see `./send.py status`",
        )


def interrupt(app: AppContext, campaign_id: int, *, undo: bool) -> bool:
    """Handle Ctrl-C while waiting for a scheduled campaign.

    Args:
        undo: Whether to pause it, to be resumed or cancelled; else it keeps its time.

    Returns:
        Whether it was still scheduled.
    """
    with app.store.write() as connection:
        state = connection.execute(
            select(campaign.c.state).where(campaign.c.id == campaign_id).with_for_update()
        ).scalar()
        if state == CampaignState.SCHEDULED and undo:
            now = app.store.now(connection)
            states.transition(
                connection, campaign_id, CampaignState.PAUSED, by=app.by, now=now, note="called off"
            )
        return bool(state == CampaignState.SCHEDULED)
