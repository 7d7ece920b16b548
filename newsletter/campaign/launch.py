"""Freeze an audience or find the unfinished campaign; begin it once a person has confirmed.

Between the two stands a question that a person takes their time over. So `begin` looks again:
whatever others did meanwhile, nobody gets an issue twice.
"""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from newsletter.audience.keys import check_suppression_key
from newsletter.campaign import approval, preflight, schedule
from newsletter.campaign.context import AppContext
from newsletter.campaign.snapshot import AudienceSelection, take_snapshot
from newsletter.campaign.status import Status, status
from newsletter.delivery.ledger import states
from newsletter.delivery.ledger.chunks import plan
from newsletter.delivery.ledger.outcomes import under_way
from newsletter.delivery.ledger.recover import recover
from newsletter.delivery.ledger.sending_lock import sending_lock
from newsletter.delivery.ledger.tables import campaign, campaign_event
from newsletter.errors import RefusedError
from newsletter.render.model import CompiledIssue
from newsletter.store.engine import Store


@dataclass(frozen=True, slots=True)
class PendingCampaign:
    """A campaign whose audience is frozen and whose preflight passed.

    ``created_at`` (Unix seconds) tells it from one that took its number after it was discarded.
    """

    status: Status
    compiled: CompiledIssue
    continuing: bool
    created_at: float

    @property
    def mailable(self) -> int:
        """N: audience minus skipped, the number a person types to confirm."""
        return self.status.tally.audience - sum(self.status.tally.skipped.values())


def open_campaign(
    app: AppContext,
    compiled: CompiledIssue,
    audience: AudienceSelection,
    *,
    again_reason: str = "",
    not_before: float = 0.0,
    live: bool,
) -> PendingCampaign:
    """Find the campaign of this issue, list and segment, or freeze its audience in a new one.

    Args:
        again_reason: Why people who have this issue get it again; empty skips them.
        not_before: When a new one is to begin (Unix seconds), if not at once.
        live: Whether approval and the order of sends must hold; False for a dry run.

    Raises:
        RefusedError: Not approved; another send of this issue is unfinished or paused; or
            preflight found something; or the suppression key is not this database's.
        InputError: The list does not exist or is empty.
    """
    check_suppression_key(app.store, app.keys)
    if live:
        recover_dead_senders(app)
    with app.store.write() as connection:
        states.lock_issue(connection, compiled.slug)
        _forget_unconfirmed(connection, compiled, audience)
        found = _existing(connection, compiled, audience, again_reason, live=live)
        if found is not None:
            return PendingCampaign(
                status(connection, found.id),
                approval.load(connection, found.digest),
                continuing=True,
                created_at=found.created_at,
            )
        if live:
            approval.require(connection, app.settings, compiled, audience.list_name)
            _require_landed(connection, compiled.slug)
        now = app.store.now(connection)
        campaign_id = _create(connection, app, compiled, audience, again_reason, now)
        again = bool(again_reason)
        take_snapshot(connection, campaign_id, audience, compiled, again=again, at=not_before)
        preflight.require_merge_values(connection, compiled, campaign_id)
        return PendingCampaign(
            status(connection, campaign_id), compiled, continuing=False, created_at=now
        )


def recover_dead_senders(app: AppContext) -> None:
    """Settle what dead senders left; one that is at work settles its own.

    Before an audience is frozen: whom a journal proves not begun does not have the issue.
    """
    with suppress(RefusedError), sending_lock(app.store):
        recover(app.store, app.journal_folder)


def begin(
    app: AppContext, opened: PendingCampaign, *, not_before: float = 0.0, canary: int = 0
) -> None:
    """Let an opened campaign send, at once or later, if it still is what was opened.

    Args:
        not_before: When (Unix seconds); 0 for at once, or when it was going to.
        canary: How many go first, in a new campaign.

    Raises:
        RefusedError: It was paused, ended or replaced, or the issue went out by another campaign;
            or it is sending already and is to wait.
    """
    campaign_id = opened.status.campaign_id
    with app.store.write() as connection:
        states.lock_issue(connection, opened.compiled.slug)
        state = connection.execute(
            select(campaign.c.state).where(
                campaign.c.id == campaign_id, campaign.c.created_at == opened.created_at
            )
        ).scalar()
        now = app.store.now(connection)
        if opened.continuing:
            _require_running(campaign_id, state)
            if not_before:
                schedule.put_off(connection, campaign_id, not_before, by=app.by, now=now)
            return
        if state != "approved" or _begun_since(connection, opened):
            raise RefusedError(
                "this issue was sent, cancelled or asked about again meanwhile; nothing was sent",
                fix="run the same command again: it shows who is left",
            )
        if not_before:
            schedule.put_off(connection, campaign_id, not_before, by=app.by, now=now)
        else:
            states.transition(
                connection, campaign_id, states.CampaignState.SENDING, by=app.by, now=now
            )
        plan(connection, campaign_id, canary=canary)


def discard(store: Store, opened: PendingCampaign) -> None:
    """Forget a campaign that was frozen and then not confirmed: nothing of it left."""
    with store.write() as connection:
        connection.execute(
            delete(campaign).where(
                campaign.c.id == opened.status.campaign_id,
                campaign.c.created_at == opened.created_at,
                campaign.c.state == "approved",
            )
        )


def _forget_unconfirmed(
    connection: Connection, compiled: CompiledIssue, audience: AudienceSelection
) -> None:
    """Whoever was asked before is refused when they answer; most were killed at the question."""
    connection.execute(
        delete(campaign).where(
            campaign.c.slug == compiled.slug,
            campaign.c.audience == audience.list_name,
            campaign.c.state == "approved",
        )
    )


def _existing(
    connection: Connection,
    compiled: CompiledIssue,
    audience: AudienceSelection,
    again_reason: str,
    *,
    live: bool,
) -> Row[Any] | None:
    """The campaign to go on with: the unfinished one, else the finished one of this digest."""
    rows = connection.execute(
        select(campaign).where(campaign.c.slug == compiled.slug).order_by(campaign.c.id.desc())
    ).all()
    unfinished = [row for row in rows if row.state in states.UNFINISHED]
    for row in unfinished:
        if row.audience == audience.list_name:
            if row.segment != audience.segment:
                _refuse_segment(row, audience, live=live)
                continue
            _require_same(row, compiled, again_reason)
            return row
    if unfinished and live:
        row = unfinished[0]
        raise RefusedError(
            f"campaign {row.id} of this issue, to {row.audience}, is {row.state}: who is on both "
            "lists could get it twice",
            fix=f"finish it first, or `send.py cancel {row.id}`",
        )
    finished = (
        row
        for row in rows
        if row.state == "finished"
        and row.digest == compiled.digest
        and (row.audience, row.segment) == (audience.list_name, audience.segment)
    )
    return None if again_reason else next(finished, None)


def _require_landed(connection: Connection, slug: str) -> None:
    """Who is on the way in a campaign that was just cancelled may come back as not begun.

    Frozen before that, they would be skipped as if they had the issue.
    """
    ended = select(campaign.c.id).where(campaign.c.slug == slug, campaign.c.state.in_(states.ENDED))
    for number in connection.execute(ended).scalars().all():
        on_the_way = under_way(connection, number)
        if on_the_way:
            raise RefusedError(
                f"{on_the_way} messages of campaign {number} of this issue are on their way",
                fix="wait until they have an answer, a minute or two, then run this again",
            )


def _refuse_segment(row: Row[Any], audience: AudienceSelection, *, live: bool) -> None:
    if live:
        same = f"with --segment {shlex.quote(row.segment)}" if row.segment else "without --segment"
        raise RefusedError(
            f"campaign {row.id} of this issue, to {_part(row.audience, row.segment)}, is "
            f"{row.state}; this is {_part(audience.list_name, audience.segment)}: who is in both "
            "could get it twice",
            fix=f"go on with it {same}, or `send.py cancel {row.id}`",
        )


def _part(list_name: str, segment: str) -> str:
    return f"{list_name} where {segment}" if segment else f"all of {list_name}"


def _require_same(row: Row[Any], compiled: CompiledIssue, again_reason: str) -> None:
    if row.digest != compiled.digest:
        raise RefusedError(
            f"campaign {row.id} of an earlier version of this issue is {row.state}",
            fix=f"put the earlier text back to continue it, or `send.py cancel {row.id}`",
        )
    if again_reason and not row.again_reason:
        raise RefusedError(
            f"campaign {row.id} of this issue is {row.state}: not everyone has it once",
            fix=f"continue it without --again, or `send.py cancel {row.id}`",
        )


def _require_running(campaign_id: int, state: str | None) -> None:
    if state not in {"scheduled", "sending"}:
        raise RefusedError(
            f"campaign {campaign_id} is {state or 'gone'}",
            fix=f"`send.py resume {campaign_id}`, then the same command again"
            if state in states.HELD
            else "see `send.py status`",
        )


def _create(
    connection: Connection,
    app: AppContext,
    compiled: CompiledIssue,
    audience: AudienceSelection,
    again_reason: str,
    now: float,
) -> int:
    approval.keep(connection, compiled, now)
    result = connection.execute(
        insert(campaign).values(
            slug=compiled.slug,
            audience=audience.list_name,
            segment=audience.segment,
            digest=compiled.digest,
            state="approved",
            transport=app.settings.transport,
            created_by=app.by,
            again_reason=again_reason,
            created_at=now,
        )
    )
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def _begun_since(connection: Connection, opened: PendingCampaign) -> bool:
    """Whether another campaign of this issue went out after this one's audience was frozen."""
    query = (
        select(campaign.c.id)
        .join(campaign_event, campaign_event.c.campaign_id == campaign.c.id)
        .where(
            campaign.c.slug == opened.compiled.slug,
            campaign.c.id != opened.status.campaign_id,
            campaign_event.c.to_state.in_(["scheduled", "sending"]),
            campaign_event.c.at >= opened.created_at,
        )
    )
    return connection.execute(query).first() is not None
