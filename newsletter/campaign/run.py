"""A send from its first check to its last count, live or as a dry run: each in one function.

The caller passes a `SendRequest`, a callback that asks a person, and a `SendListener`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from newsletter.audience.lists import columns, list_names
from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tokens import TokenSigner
from newsletter.campaign import approval, launch, preflight, schedule
from newsletter.campaign.build import build, live_blockers, refuse_blockers
from newsletter.campaign.completion import complete_finished
from newsletter.campaign.context import AppContext
from newsletter.campaign.mailer import Mailer, campaign_transport, open_mailer, outbox_folder
from newsletter.campaign.process import event_loop, sender_name, stop_on_signals
from newsletter.campaign.progress import Progress, following, outlast
from newsletter.campaign.request import (
    Confirm,
    DryRunResult,
    SendEnd,
    SendListener,
    SendRequest,
    SendResult,
)
from newsletter.campaign.selection import choose_audience, known_columns
from newsletter.campaign.snapshot import joined_since_snapshot
from newsletter.campaign.status import Status, status
from newsletter.delivery.ledger.outcomes import OutcomeCounts
from newsletter.delivery.ledger.sending_lock import is_sending
from newsletter.delivery.ledger.states import CampaignState
from newsletter.delivery.runner.runner import run_campaign
from newsletter.errors import RefusedError
from newsletter.store.snapshot import private_copy
from newsletter.transports.file import FileTransport


def send_live(
    app: AppContext, request: SendRequest, *, confirm: Confirm, listener: SendListener
) -> SendResult:
    """Send an issue to its recipients, or continue the campaign that already does.

    Every step that may refuse comes before the first that cannot be undone. If it is stopped at
    any step, the same request continues from there.

    Args:
        confirm: Asks a person, who must answer with the number of recipients; not called when a
            campaign is continued.
        listener: Notified of what happens.

    Raises:
        InputError: The article, the file or the list cannot be used.
        UsageError: The segment cannot be used.
        RefusedError: There is a blocker, no approval or no confirmation; another send of this
            issue blocks this one; or a check of the settings failed.
        UnavailableError: The unsubscribe address or the transport cannot be reached.
        KeyboardInterrupt: Ctrl-C while it waited for its start time.
    """
    settings = app.settings
    # Built once, and checked below in the same form: building again would let an edit slip in
    # between the approval and the checks.
    built = build(
        request.issue,
        settings,
        columns=known_columns(app, request),
        lists=list_names(app.store),
    )
    refuse_blockers(built.blockers)
    # Before the import: an issue that may not be sent must not change a list.
    with app.store.read() as connection:
        approved = approval.require(connection, settings, built.compiled, request.list_name)
    audience = choose_audience(app, request, listener)
    pending = launch.open_campaign(
        app,
        approved,
        audience,
        again_reason=request.again_reason,
        not_before=request.not_before,
    )
    campaign_id = pending.status.campaign_id
    try:
        if pending.continuing:
            with app.store.read() as connection:
                # The whole list: a file of a continued send was imported again, as another batch.
                whole = replace(audience, batch="")
                joined = joined_since_snapshot(connection, campaign_id, whole)
            listener.joined_since(pending, joined)
        if pending.status.state == CampaignState.FINISHED:
            return SendResult(SendEnd.ALREADY_SENT, pending.status)
        # Opened before anyone is asked: a missing API key is found before anything is started.
        transport = campaign_transport(settings, campaign_id)
        with app.store.read() as connection:
            reaches_people = preflight.reaches_people(connection, settings, campaign_id)
        if reaches_people:
            proof = TokenSigner(app.keys).sign(Token(TokenPurpose.UNSUBSCRIBE, True, 0, 0))
            preflight.require_one_click(settings.publication.public_url, proof)
            # Only now: whether mail reaches real people depends on the recipients' domains.
            refuse_blockers(live_blockers(built, settings))
        if pending.continuing:
            listener.continuing(pending)
        elif confirm(pending) != pending.mailable:
            raise RefusedError(
                f"not confirmed: {pending.mailable} people would receive it; nothing was sent",
                fix=f"use --confirm {pending.mailable}",
            )
    except BaseException:
        # Ctrl-C at the prompt, too: otherwise an unconfirmed campaign would stay behind.
        launch.discard(app.store, pending)
        raise
    launch.begin(app, pending, not_before=request.not_before)
    if request.detach:
        with app.store.read() as connection:
            return SendResult(SendEnd.DETACHED, status(connection, campaign_id))
    try:
        waited = schedule.wait(
            app.store, settings, campaign_id, lambda left: listener.waiting(campaign_id, left)
        )
    except KeyboardInterrupt:
        # In the undo window Ctrl-C means "do not send"; a time that was asked for is kept.
        undo = not (request.not_before or pending.continuing)
        if schedule.interrupt(app, campaign_id, undo=undo):
            listener.interrupted(campaign_id, called_off=undo)
        raise
    # Opened after the wait: the Date header of each message is now.
    mailer = open_mailer(app, pending.compiled, campaign_id, transport=transport)
    counted = None if waited else pending.status.tally
    with listener.sending() as progress:
        return SendResult(SendEnd.SENT, send(app, campaign_id, mailer, progress, counted))


def dry_run(
    app: AppContext, request: SendRequest, *, listener: SendListener, out: Path | None = None
) -> DryRunResult:
    """Write every message that a live send would send, and change nothing.

    Runs the code of a live send on a private copy of the database.

    Args:
        listener: Notified of what happens.
        out: Where the messages are written; ``var/outbox/SLUG`` by default.

    Raises:
        InputError: The article, the file or the list cannot be used.
        UsageError: The segment cannot be used.
        RefusedError: A recipient lacks a merge value, or another version is being sent.
        UnavailableError: The folder or the copy cannot be written.
    """
    folder = out or outbox_folder(app.settings, request.issue.stem)
    # A copy, so that a dry run shows what would really happen, changes nothing, and holds no lock
    # that a reader's unsubscribe would wait for.
    with private_copy(app.store, app.settings.var) as store:
        copy = replace(app, store=store)
        audience = choose_audience(copy, request, listener)
        built = build(
            request.issue,
            copy.settings,
            columns=columns(store, request.list_name),
            lists=list_names(store),
        )
        pending = launch.open_dry_run(
            copy,
            built.compiled,
            audience,
            again_reason=request.again_reason,
            not_before=request.not_before,
        )
        if pending.continuing:
            return DryRunResult(pending.status, pending, built, folder)
        launch.begin_dry_run(copy, pending)
        campaign_id = pending.status.campaign_id
        files = FileTransport(folder, fresh=True)
        mailer = open_mailer(copy, pending.compiled, campaign_id, transport=files, proof=True)
        with listener.sending() as progress:
            result = send(copy, campaign_id, mailer, progress, pending.status.tally)
    return DryRunResult(result.of_a_dry_run(), pending, built, folder)


def send(
    app: AppContext,
    campaign_id: int,
    mailer: Mailer,
    progress: Progress | None = None,
    counted: OutcomeCounts | None = None,
) -> Status:
    """Send what is left of a campaign until nothing is due or it is stopped.

    SIGINT, SIGTERM and SIGHUP drain: messages under way get their outcome, the rest stays queued.

    Args:
        mailer: Its transport is closed at the end.
        progress: Called about twice a second with the counts so far.
        counted: The counts now, if they are known.

    Raises:
        UnavailableError: The transport cannot be reached; run again to continue.
    """
    store, alone = app.store, app.store.is_sqlite

    async def work(counted: OutcomeCounts | None) -> None:
        stop = stop_on_signals()
        try:
            if is_sending(store.engine):
                async with following(store, campaign_id, progress):
                    if not await outlast(store, campaign_id, mailer.limits.patience, stop):
                        return
                counted = None
            # With several senders, only the database knows the counts of all of them.
            async with following(store, campaign_id, None if alone else progress):
                await run_campaign(
                    store,
                    campaign_id,
                    mailer.transport,
                    mailer.compose,
                    owner=sender_name(),
                    journal_dir=app.journal_folder,
                    progress=progress if alone else None,
                    counted=counted,
                    stop=stop,
                    limits=mailer.limits,
                )
        finally:
            await mailer.transport.close()

    with event_loop() as runner:
        runner.run(work(counted))
    # Here and in every worker's sweep: whichever process sends the last message may die after it.
    complete_finished(app, campaign_id, by=app.by)
    with store.read() as connection:
        return status(connection, campaign_id)
