"""deliver: a dry run on a copy, or the real thing. `opening.open_campaign` comes first."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from newsletter.audience.key_check import check_signing_key
from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tokens import TokenSigner
from newsletter.campaign import preflight, schedule
from newsletter.campaign.completion import complete_finished
from newsletter.campaign.context import AppContext
from newsletter.campaign.launch import PendingCampaign, begin
from newsletter.campaign.media import save_media
from newsletter.campaign.progress import Progress, follow, is_under_way
from newsletter.campaign.status import Status, status
from newsletter.delivery.compose.composer import Composer
from newsletter.delivery.ledger.chunks import LOOK_S
from newsletter.delivery.ledger.rate import Rates
from newsletter.delivery.ledger.sending_lock import is_sending
from newsletter.delivery.model import Transport
from newsletter.delivery.runner.circuit_breaker import BreakerRule
from newsletter.delivery.runner.runner import SendLimits, run_campaign
from newsletter.settings.model import Settings
from newsletter.store.engine import Store


def require_unsubscribe_works(app: AppContext, opened: PendingCampaign) -> bool:
    """Refuse a live send whose readers could not get out again.

    Returns:
        Whether the send is sheltered: it can reach nobody but reserved addresses on this machine.

    Raises:
        RefusedError: The send is not sheltered, and the one-click address fails its test or the
            transport reaches nobody.
        UnavailableError: Nobody answers at the one-click address.
    """
    with app.store.read() as connection:
        sheltered = preflight.require_reach(connection, app.settings, opened.status.campaign_id)
    if not sheltered:
        proof = TokenSigner(app.keys).sign(Token(TokenPurpose.UNSUBSCRIBE, True, 0, 0))
        preflight.require_one_click(app.settings.publication.public_url, proof)
    return sheltered


def run(
    app: AppContext,
    opened: PendingCampaign,
    transport: Transport,
    *,
    proof: bool,
    progress: Progress | None = None,
) -> Status:
    """Begin a campaign or go on with it: `start`, wait for its time, `go_on`.

    Raises: As those.
    """
    start(app, opened, proof=proof)
    schedule.wait(app.store, app.settings, opened.status.campaign_id)
    return go_on(app, opened, transport, proof=proof, progress=progress)


def go_on(
    app: AppContext,
    opened: PendingCampaign,
    transport: Transport,
    *,
    proof: bool,
    progress: Progress | None = None,
) -> Status:
    """Send what is left of a campaign that sends, until nothing is due or somebody stops it.

    SIGINT, SIGTERM and SIGHUP drain: what was offered gets its outcome, the rest stays queued.

    Args:
        transport: Open; closed at the end.
        proof: Whether links are proof links, which change nothing.
        progress: Called about once a second with the counts so far.

    Raises:
        UnavailableError: The transport is out of reach; run again to continue.
    """
    campaign_id = opened.status.campaign_id
    composer = Composer(
        opened.compiled,
        signer=TokenSigner(app.keys),
        bounce_address=app.settings.bounce_address,
        proof=proof,
        campaign_id=campaign_id,
    )
    with event_loop() as runner:
        limits = SendLimits() if proof else limits_of(app.settings)
        runner.run(_until_stopped(app, campaign_id, transport, composer, progress, limits))
    complete_finished(app, campaign_id, by=app.by)
    with app.store.read() as connection:
        return status(connection, campaign_id)


def start(
    app: AppContext, opened: PendingCampaign, *, proof: bool = False, not_before: float = 0.0
) -> None:
    """Let an opened campaign begin at its time, whoever sends it then.

    Args:
        proof: Whether it is a dry run: nothing is put off, and nobody goes first.
        not_before: When (Unix seconds); at once, or after the undo window, by default.

    Raises:
        RefusedError: As `newsletter.campaign.launch.begin`; or links would be signed with another
            key than those of earlier mail.
        InputError: A picture is missing among those kept, and is not in the project either.
    """
    settings = app.settings
    if proof:
        begin(app, opened)
        return
    for image in opened.compiled.images:
        save_media(settings, image)
    with app.store.write() as connection:
        check_signing_key(connection, app.keys)
    if settings.undo_window and not (not_before or opened.continuing):
        with app.store.read() as connection:
            not_before = app.store.now(connection) + settings.undo_window
    canary = settings.canary.size if opened.mailable > settings.canary.above else 0
    begin(app, opened, not_before=not_before, canary=canary)


def limits_of(settings: Settings) -> SendLimits:
    """How fast a live campaign goes out, and when it pauses by itself."""
    limits, hold = settings.limits, settings.hold
    return SendLimits(
        rates=Rates(settings.transport, limits.per_second, limits.per_domain),
        hold=BreakerRule(hold.failures, hold.minimum, hold.policy),
    )


async def _until_stopped(
    app: AppContext,
    campaign_id: int,
    transport: Transport,
    composer: Composer,
    progress: Progress | None,
    limits: SendLimits,
) -> None:
    stop = stop_on_signals()
    store = app.store
    try:
        if is_sending(store.engine):
            async with _following(store, campaign_id, progress):
                if not await _outlast(store, campaign_id, limits.patience, stop):
                    return
        # Beside others, only the database knows how far all have got.
        shown = None if store.is_sqlite else progress
        async with _following(store, campaign_id, shown):
            await run_campaign(
                store,
                campaign_id,
                transport,
                composer,
                owner=sender_name(),
                journal_dir=app.journal_folder,
                progress=progress if store.is_sqlite else None,
                stop=stop,
                limits=limits,
            )
    finally:
        await transport.close()


@asynccontextmanager
async def _following(
    store: Store, campaign_id: int, progress: Progress | None
) -> AsyncIterator[None]:
    task = asyncio.create_task(follow(store, campaign_id, progress)) if progress else None
    try:
        yield
    finally:
        if task:
            task.cancel()


async def _outlast(store: Store, campaign_id: int, patience: float, stop: asyncio.Event) -> bool:
    """Wait while another process sends from this SQLite database.

    Returns:
        Whether it ended and left something to do.
    """
    while is_sending(store.engine):
        if stop.is_set() or not await is_under_way(store, campaign_id, patience):
            return False
        await asyncio.sleep(LOOK_S)
    return True


def stop_on_signals() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set, and SIGHUP: a terminal that is closed, say.

    Under `nohup` SIGHUP stays ignored.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    names = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        names.append(signal.SIGHUP)
    for name in names:
        with suppress(ValueError, NotImplementedError):
            loop.add_signal_handler(name, stop.set)
    return stop


def sender_name() -> str:
    """This process, for people to read."""
    return f"{socket.gethostname()}:{os.getpid()}"


def event_loop() -> asyncio.Runner:
    """The fastest event loop that is installed."""
    # What is loaded by now stays, and a batch is no garbage: to walk over both again and again
    # took a tenth of the time of a send.
    gc.freeze()
    gc.set_threshold(20_000)
    factory: Any = None
    with suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    return asyncio.Runner(loop_factory=factory)
