"""deliver: a dry run on a copy, or the real thing.

`open_campaign` freezes the audience or finds the unfinished campaign; nothing leaves before the
caller has shown what it returns and calls `run`. Calling both again continues, and never doubles.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from newsletter.audience import Token, TokenPurpose, TokenSigner
from newsletter.campaign import approval, preflight, states
from newsletter.campaign.desk import Desk
from newsletter.campaign.freeze import Audience, freeze
from newsletter.campaign.status import Status, status
from newsletter.deliver import Composer, Tally, Transport, plan, run_campaign
from newsletter.errors import RefusedError
from newsletter.render import CompiledIssue
from newsletter.settings import Settings
from newsletter.store import Store, serialise
from newsletter.store.schema import campaign

Progress = Callable[[Tally], None]


@dataclass(frozen=True, slots=True)
class Opened:
    """A campaign whose audience is frozen and whose preflight passed."""

    status: Status
    compiled: CompiledIssue
    continuing: bool

    @property
    def mailable(self) -> int:
        """N: audience minus skipped, the number a person types to confirm."""
        return self.status.tally.audience - sum(self.status.tally.skipped.values())


def open_campaign(
    desk: Desk,
    compiled: CompiledIssue,
    audience: Audience,
    *,
    again_reason: str = "",
    live: bool,
) -> Opened:
    """Find the campaign of this issue and list, or freeze its audience in a new one.

    Args:
        again_reason: Why people who have this issue get it again; empty skips them.
        live: Whether approval and the unsubscribe address must hold; False for a dry run.

    Raises:
        RefusedError: Not approved, an older version is unfinished, or preflight found something.
        InputError: The list does not exist or is empty.
    """
    with desk.store.write() as connection:
        serialise(connection, f"issue {compiled.slug}")
        found = _existing(connection, compiled, audience)
        if found is not None and not again_reason:
            return Opened(found, approval.load(connection, found.digest), continuing=True)
        if live:
            approval.require(connection, desk.settings, compiled, audience.list_name)
        campaign_id = _create(connection, desk, compiled, audience, again_reason)
        freeze(connection, campaign_id, audience, compiled, again=bool(again_reason))
        preflight.require_merge_values(connection, compiled, campaign_id)
        return Opened(status(connection, campaign_id), compiled, continuing=False)


def _existing(connection: Connection, compiled: CompiledIssue, audience: Audience) -> Status | None:
    """The campaign to go on with: the unfinished one, else the finished one of this digest."""
    mine = select(campaign).where(
        campaign.c.slug == compiled.slug, campaign.c.audience == audience.list_name
    )
    connection.execute(
        delete(campaign).where(
            campaign.c.slug == compiled.slug,
            campaign.c.audience == audience.list_name,
            campaign.c.state == "approved",
        )
    )
    rows = connection.execute(mine.order_by(campaign.c.id.desc())).all()
    for row in rows:
        if row.state in states.UNFINISHED and row.digest != compiled.digest:
            raise RefusedError(
                f"campaign {row.id} of an earlier version of this issue is {row.state}",
                fix=f"put the earlier text back to continue it, or `send.py cancel {row.id}`",
            )
        if row.digest == compiled.digest and row.state in (*states.UNFINISHED, "finished"):
            return status(connection, row.id)
    return None


def _create(
    connection: Connection,
    desk: Desk,
    compiled: CompiledIssue,
    audience: Audience,
    again_reason: str,
) -> int:
    now = desk.store.now(connection)
    approval.keep(connection, compiled, now)
    result = connection.execute(
        insert(campaign).values(
            slug=compiled.slug,
            audience=audience.list_name,
            digest=compiled.digest,
            state="approved",
            transport=desk.settings.transport,
            created_by=desk.by,
            again_reason=again_reason,
            created_at=now,
        )
    )
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def discard(store: Store, campaign_id: int) -> None:
    """Forget a campaign that was frozen and then not confirmed: nothing of it left."""
    with store.write() as connection:
        connection.execute(
            delete(campaign).where(campaign.c.id == campaign_id, campaign.c.state == "approved")
        )


def require_way_out(desk: Desk, opened: Opened) -> bool:
    """Refuse a live send whose readers could not get out again.

    Returns:
        Whether the send is sheltered: it can reach nobody but reserved addresses on this machine.

    Raises:
        RefusedError: The one-click address fails its test and the send is not sheltered.
        UnavailableError: Nobody answers at the one-click address.
    """
    with desk.store.read() as connection:
        sheltered = preflight.shelter(connection, desk.settings, opened.status.campaign_id)
    if not sheltered:
        proof = TokenSigner(desk.keys).sign(Token(TokenPurpose.UNSUBSCRIBE, True, 0, 0))
        preflight.require_way_back(desk.settings.publication.public_url, proof)
    return bool(sheltered)


def run(
    desk: Desk,
    opened: Opened,
    transport: Transport,
    *,
    proof: bool,
    progress: Progress | None = None,
) -> Status:
    """Send what is left of a campaign, until nothing is due or somebody stops it.

    SIGINT and SIGTERM drain: what was offered gets its outcome, the rest stays queued.

    Args:
        transport: Open; closed at the end.
        proof: Whether links are proof links, which change nothing.
        progress: Called about once a second with the counts so far.

    Raises:
        UnavailableError: The transport is out of reach; run again to continue.
    """
    campaign_id = opened.status.campaign_id
    _begin(desk, opened)
    composer = Composer(
        opened.compiled,
        signer=TokenSigner(desk.keys),
        bounce_address=desk.settings.bounce_address,
        proof=proof,
        campaign_id=campaign_id,
    )
    with _runner() as runner:
        runner.run(_until_stopped(desk, campaign_id, transport, composer, progress))
    with desk.store.write() as connection:
        result = status(connection, campaign_id)
        if result.state == "sending" and not (result.tally.queued or result.tally.deferred):
            states.move(
                connection, campaign_id, "finished", by=desk.by, now=desk.store.now(connection)
            )
            result = status(connection, campaign_id)
    return result


def _begin(desk: Desk, opened: Opened) -> None:
    campaign_id = opened.status.campaign_id
    with desk.store.write() as connection:
        now = desk.store.now(connection)
        state = status(connection, campaign_id).state
        if state != "sending":
            states.move(connection, campaign_id, "sending", by=desk.by, now=now)
        if not opened.continuing:
            plan(connection, campaign_id)


async def _until_stopped(
    desk: Desk,
    campaign_id: int,
    transport: Transport,
    composer: Composer,
    progress: Progress | None,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with suppress(ValueError, NotImplementedError):
            loop.add_signal_handler(name, stop.set)
    try:
        await run_campaign(
            desk.store,
            campaign_id,
            transport,
            composer,
            owner=f"{socket.gethostname()}:{os.getpid()}",
            journal_dir=desk.journal_folder,
            progress=progress,
            stop=stop,
        )
    finally:
        await transport.close()


def _runner() -> asyncio.Runner:
    factory: Any = None
    with suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    return asyncio.Runner(loop_factory=factory)


def open_transport(settings: Settings, out: Path) -> Transport:
    """The transport that the settings name; `out` is the folder that `outbox` writes to."""
    if settings.transport == "smtp":
        from newsletter.deliver.transports.smtp import SmtpTransport

        return SmtpTransport(settings.smtp)
    if settings.transport == "sendgrid":
        from newsletter.deliver.transports.sendgrid import SendgridTransport

        return SendgridTransport(settings.sendgrid, settings.sendgrid_api_key)
    if settings.transport == "outbox":
        from newsletter.deliver.transports.outbox import OutboxTransport

        return OutboxTransport(out)
    raise RefusedError(f"the transport {settings.transport} is not available yet")
