"""Launch a campaign: take its snapshot, or find the one to continue; begin it once confirmed.

In between a person is asked, which may take a while. So `begin` checks again: whatever others did
meanwhile, nobody receives an issue twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import delete, insert, select

from newsletter.audience.key_check import check_signing_key, check_suppression_key
from newsletter.campaign import approval, preflight, schedule
from newsletter.campaign.approval import ApprovedIssue
from newsletter.campaign.context import AppContext
from newsletter.campaign.earlier import begun_since, campaign_to_continue, require_landed
from newsletter.campaign.media import save_media
from newsletter.campaign.snapshot import AudienceSelection, take_snapshot
from newsletter.campaign.status import Status, status
from newsletter.delivery.ledger import states
from newsletter.delivery.ledger.chunks import plan
from newsletter.delivery.ledger.recover import has_left_behind, recover
from newsletter.delivery.ledger.sending_lock import sending_lock
from newsletter.delivery.ledger.states import CampaignState
from newsletter.delivery.ledger.tables import campaign
from newsletter.errors import RefusedError
from newsletter.render.model import CompiledIssue
from newsletter.store.engine import Store


@dataclass(frozen=True, slots=True)
class PendingCampaign:
    """A campaign with a snapshot: a new one that awaits confirmation, or one to continue.

    ``continuing``: it was confirmed before. ``created_at`` (Unix seconds) tells it from another
    campaign that reused its number after it was discarded. ``variants`` counts the recipients of
    each variant of a new campaign, by index.
    """

    status: Status
    compiled: CompiledIssue
    continuing: bool
    created_at: float
    variants: Mapping[int, int] = field(default_factory=dict)

    @property
    def mailable(self) -> int:
        """Audience minus skipped: the number a person types to confirm."""
        return self.status.tally.mailable


def open_campaign(
    app: AppContext,
    approved: ApprovedIssue,
    audience: AudienceSelection,
    *,
    again_reason: str = "",
    not_before: float = 0.0,
) -> PendingCampaign:
    """Find the campaign of this issue, list and segment, or create a new one with its snapshot.

    Args:
        again_reason: Why people who already received this issue receive it again; empty skips
            them.
        not_before: When a new campaign starts (Unix seconds), if not at once.

    Raises:
        RefusedError: Approved for another list; another send of this issue is unfinished or
            paused; a recipient lacks a merge value; or the suppression key is not this database's.
        InputError: The list does not exist or is empty.
    """
    if approved.list_name != audience.list_name:
        raise RefusedError(f"approved for {approved.list_name}, not for {audience.list_name}")
    check_suppression_key(app.store, app.keys)
    # Before the snapshot: it must not skip recipients a dead sender provably did not mail.
    recover_dead_senders(app)
    return _open(app, approved.compiled, audience, again_reason, not_before, live=True)


def open_dry_run(
    app: AppContext,
    compiled: CompiledIssue,
    audience: AudienceSelection,
    *,
    again_reason: str = "",
    not_before: float = 0.0,
) -> PendingCampaign:
    """The same on a private copy of the database: without approval, not blocked by other sends.

    Raises:
        RefusedError: A recipient lacks a merge value; the same send is unfinished in another
            version; or the suppression key is not this database's.
        InputError: The list does not exist or is empty.
    """
    check_suppression_key(app.store, app.keys)
    return _open(app, compiled, audience, again_reason, not_before, live=False)


def _open(
    app: AppContext,
    compiled: CompiledIssue,
    audience: AudienceSelection,
    again_reason: str,
    not_before: float,
    *,
    live: bool,
) -> PendingCampaign:
    with app.store.write() as connection:
        # Two sends of one issue at once would not see each other's recipients.
        states.lock_issue(connection, compiled.slug)
        # Left over from prompts that were killed; if one is still answered, `begin` refuses.
        connection.execute(
            delete(campaign).where(
                campaign.c.slug == compiled.slug,
                campaign.c.audience == audience.list_name,
                campaign.c.state == CampaignState.APPROVED,
            )
        )
        earlier = campaign_to_continue(connection, compiled, audience, again_reason, live=live)
        if earlier is not None:
            return PendingCampaign(
                status(connection, earlier.id),
                approval.load(connection, earlier.digest),
                continuing=True,
                created_at=earlier.created_at,
            )
        # A dry run may show what would be refused as a live send now.
        if live:
            require_landed(connection, compiled.slug)
        now = app.store.now(connection)
        approval.keep(connection, compiled, now)
        created = connection.execute(
            insert(campaign).values(
                slug=compiled.slug,
                audience=audience.list_name,
                segment=audience.segment,
                digest=compiled.digest,
                state=CampaignState.APPROVED,
                transport=app.settings.transport,
                created_by=app.by,
                again_reason=again_reason,
                created_at=now,
            )
        )
        campaign_id = int(created.inserted_primary_key[0])  # type: ignore[index]
        again = bool(again_reason)
        counts = take_snapshot(
            connection, campaign_id, audience, compiled, again=again, at=not_before
        )
        preflight.require_merge_values(connection, compiled, campaign_id)
    fixed = Status(
        campaign_id,
        compiled.slug,
        audience.list_name,
        CampaignState.APPROVED,
        compiled.digest,
        counts.outcomes,
        segment=audience.segment,
    )
    return PendingCampaign(
        fixed, compiled, continuing=False, created_at=now, variants=counts.variants
    )


def recover_dead_senders(app: AppContext) -> None:
    """Settle what dead senders left; a live sender settles its own."""
    # As a rule there is nothing, and so no reason to wait for the lock.
    if has_left_behind(app.store, app.journal_folder):
        with suppress(RefusedError), sending_lock(app.store):
            recover(app.store, app.journal_folder)


def begin(app: AppContext, pending: PendingCampaign, *, not_before: float = 0.0) -> None:
    """Start a confirmed campaign, at once or later, if it still is what was confirmed.

    Args:
        not_before: When (Unix seconds); 0 for at once, after the undo window, or at the time a
            continued campaign already has.

    Raises:
        RefusedError: It was paused, ended or replaced; the issue was sent in another campaign; it
            is already sending and cannot be put off; or links would be signed with another key
            than those of earlier mail.
        InputError: An image is neither stored nor in the project.
    """
    settings, campaign_id = app.settings, pending.status.campaign_id
    # Before the first message: readers' mail programs fetch the images from then on.
    for image in pending.compiled.images:
        save_media(settings, image)
    with app.store.write() as connection:
        states.lock_issue(connection, pending.compiled.slug)
        # Links of earlier mail must keep working: they are signed with this database's key.
        check_signing_key(connection, app.keys)
        state = connection.execute(
            select(campaign.c.state).where(
                campaign.c.id == campaign_id, campaign.c.created_at == pending.created_at
            )
        ).scalar()
        now = app.store.now(connection)
        # A continued campaign has its chunks; it must only not have been stopped meanwhile.
        if pending.continuing:
            schedule.require_running(campaign_id, state)
            if not_before:
                schedule.put_off(connection, campaign_id, not_before, by=app.by, now=now)
            return
        if state != CampaignState.APPROVED or begun_since(
            connection, pending.compiled.slug, campaign_id, pending.created_at
        ):
            raise RefusedError(
                "this issue was sent, cancelled or opened again meanwhile; nothing was sent",
                fix="run the same command again to see who is left",
            )
        if settings.undo_window and not not_before:
            not_before = now + settings.undo_window
        if not_before:
            schedule.put_off(connection, campaign_id, not_before, by=app.by, now=now)
        else:
            states.transition(connection, campaign_id, CampaignState.SENDING, by=app.by, now=now)
        # The canary: where a mistake would reach many, a few go first.
        canary = settings.canary.size if pending.mailable > settings.canary.above else 0
        plan(connection, campaign_id, canary=canary)


def begin_dry_run(app: AppContext, pending: PendingCampaign) -> None:
    """Start a dry run at once: nobody else can have changed its private copy."""
    with app.store.write() as connection:
        campaign_id, now = pending.status.campaign_id, app.store.now(connection)
        states.transition(connection, campaign_id, CampaignState.SENDING, by=app.by, now=now)
        # No canary: every message of a dry run is written to a file.
        plan(connection, campaign_id)


def discard(store: Store, pending: PendingCampaign) -> None:
    """Delete a campaign that was not confirmed; a continued one is left alone."""
    with store.write() as connection:
        connection.execute(
            delete(campaign).where(
                campaign.c.id == pending.status.campaign_id,
                campaign.c.created_at == pending.created_at,
                campaign.c.state == CampaignState.APPROVED,
            )
        )
