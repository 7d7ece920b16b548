"""When a campaign may begin: at a time, or after a window in which calling off costs nothing.

Neither depends on which process runs: the time is in the campaign's row, and whichever looks next,
the waiting command or a worker, begins it, once.
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
"""Beyond these, Python cannot turn every time into another time zone's."""


def parse_when(text: str, now: float) -> float:
    """Read a time to send at: ISO 8601, with an offset or in this machine's time zone.

    Args:
        text: Like ``2026-12-01 09:00`` or ``2026-12-01T09:00+01:00``.
        now: Unix seconds.

    Returns:
        Unix seconds.

    Raises:
        InputError: It is no such time, is past, or the clocks pass it twice or never.
    """
    hint = "write 2026-12-01T09:00, or with an offset 2026-12-01T09:00+01:00"
    try:
        wanted = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(f"not a date and time: {text!r}", fix=hint) from None
    # A date alone would be midnight, which few people mean.
    if len(text.strip()) <= len("2026-12-01"):
        raise InputError(f"at what time on {text}?", fix=hint)
    if not _FIRST_YEAR <= wanted.year <= _LAST_YEAR:
        raise InputError(f"the year {wanted.year}?", fix=hint)
    if wanted.tzinfo is None:
        naive = wanted
        # An hour that comes twice has two offsets, and so has one that is skipped (PEP 495).
        wanted, second = (naive.replace(fold=fold).astimezone() for fold in (0, 1))
        if wanted.utcoffset() != second.utcoffset():
            what = "never" if wanted.replace(tzinfo=None) != naive else "twice"
            raise InputError(
                f"on that day the clocks are changed: {naive} comes {what}",
                fix=f"write it with its offset: {naive.isoformat()}{wanted:%z}",
            )
    if wanted.timestamp() <= now:
        raise InputError(f"{shown(wanted.timestamp())} is past", fix="leave --at out to send now")
    return wanted.timestamp()


def shown(at: float) -> str:
    """A time for people here, with its offset."""
    return f"{datetime.fromtimestamp(at).astimezone():%a %d %b %Y %H:%M:%S %z}"


def put_off(
    connection: Connection, campaign_id: int, not_before: float, *, by: str, now: float
) -> None:
    """Let an approved campaign wait for its time, or a waiting one for another.

    Raises:
        RefusedError: It is sending already, or ended.
    """
    note = f"for {shown(not_before)}"
    states.transition(connection, campaign_id, CampaignState.SCHEDULED, by=by, now=now, note=note)
    connection.execute(
        update(campaign).where(campaign.c.id == campaign_id).values(not_before=not_before)
    )


def start_due(store: Store, settings: Settings) -> list[int]:
    """Begin every scheduled campaign whose time has come; pause those found much too late.

    Any number of processes may call it at once.

    Returns:
        The campaigns that now send.
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
            # Looked at again under a lock: another process may have begun it, or put it off.
            state = states.lock_state(connection, campaign_id)
            not_before = connection.execute(
                select(campaign.c.not_before).where(campaign.c.id == campaign_id)
            ).scalar_one()
            if state is not CampaignState.SCHEDULED or not_before > now:
                continue
            late = now - not_before
            on_time = bool(late <= settings.schedule_grace)
            # What everyone expected yesterday may be wrong today: a person decides.
            note = "" if on_time else f"{late / 3600:.1f} hours late: nothing was sent"
            to = CampaignState.SENDING if on_time else CampaignState.PAUSED
            states.transition(connection, campaign_id, to, by=SYSTEM, now=now, note=note)
            if on_time:
                begun.append(campaign_id)
    return begun


def wait(
    store: Store, settings: Settings, campaign_id: int, tell: Callable[[float], None] | None = None
) -> bool:
    """Wait until a scheduled campaign was begun, by whichever process; return at once if it was.

    Args:
        tell: Told about twice a second how many seconds are left.

    Returns:
        Whether it had to wait.

    Raises:
        RefusedError: It was paused or cancelled meanwhile, or found much too late.
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
            # A worker may do so at the same moment: only one of the two does.
            start_due(store, settings)
            continue
        if tell:
            tell(left)
        # Short, since somebody may cancel it or give it another time.
        time.sleep(min(left, LOOK_S))


def require_running(campaign_id: int, state: str | None) -> None:
    """Refuse to go on with a campaign that neither sends nor waits for its time.

    Args:
        state: None where there is no such campaign any more.

    Raises:
        RefusedError: It is held, ended or gone.
    """
    if state not in {CampaignState.SCHEDULED, CampaignState.SENDING}:
        raise RefusedError(
            f"campaign {campaign_id} is {state or 'gone'}",
            fix=f"`./send.py resume {campaign_id}`, then the same command again"
            if state in states.HELD
            else "see `./send.py status`",
        )


def interrupt(app: AppContext, campaign_id: int, *, undo: bool) -> bool:
    """Somebody does not want to wait any longer for a scheduled campaign.

    Args:
        undo: Whether it is called off, to be resumed or cancelled; else it keeps its time.

    Returns:
        Whether it was still waiting.
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
