"""A worker: sends chunks of any campaign, beside any number of other workers.

What is due is in the ledger. Every few seconds a worker's sweep tidies the ledger and has its
dispatcher hand out what is due; a worker that is handed a chunk claims it in the ledger first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from math import inf

from sqlalchemy import select

from newsletter.audience.key_check import check_signing_key, check_suppression_key
from newsletter.campaign import approval, preflight, schedule
from newsletter.campaign.completion import complete_finished
from newsletter.campaign.context import AppContext
from newsletter.campaign.mailer import open_mailer
from newsletter.campaign.process import sender_name
from newsletter.delivery.ledger.chunks import due_chunks
from newsletter.delivery.ledger.outcomes import OutcomeCounts
from newsletter.delivery.ledger.recover import recover
from newsletter.delivery.ledger.sending_lock import sending_lock
from newsletter.delivery.ledger.tables import campaign, chunk
from newsletter.delivery.runner.batch_sizer import BatchSizer
from newsletter.delivery.runner.live_counts import LiveCounts
from newsletter.delivery.runner.runner import Sending, claim_chunk, run_chunk
from newsletter.errors import GoneError, NewsletterError, RefusedError, UnavailableError
from newsletter.jobs.setup import open_dispatcher, prepare

SWEEP_S = 2.0
PATIENCE_S = 300.0
"""How long the database may be unavailable before a worker exits, for its supervisor to notice."""
SHORTEST_REST_S, LONGEST_REST_S = 1.0, 60.0
IDLE_S = 20.0
"""Connections are closed after this time; servers close idle ones after some minutes anyway."""

Tell = Callable[[str], None]


@dataclass(slots=True)
class _Open:
    """What is kept open for one campaign: ``chunks`` under way now, ``used`` when one last was."""

    sending: Sending
    chunks: int = 0
    used: float = 0.0


class Worker:
    """One process that sends.

    Args:
        app: Its settings name the transport; campaigns of other transports are left to others.
        tell: Called with a line that a person should read.
        stop: Once set, no more messages are offered, and the worker ends.
        patience: Seconds that the database may be unavailable.

    Raises:
        RefusedError: The keys are not those of this database.
    """

    def __init__(
        self, app: AppContext, *, tell: Tell, stop: asyncio.Event, patience: float = PATIENCE_S
    ) -> None:
        check_suppression_key(app.store, app.keys)
        with app.store.write() as connection:
            check_signing_key(connection, app.keys)
        prepare(app.store)
        self._app = app
        self._tell = tell
        self._stop = stop
        self._patience = patience
        # A queue per transport, so that workers of two transports can share a database.
        self._dispatcher = open_dispatcher(app.store, app.settings.transport)
        self._owner = sender_name()
        self._open: dict[int, _Open] = {}
        self._failure: Exception | None = None
        self._trouble = ""
        self._rest = SHORTEST_REST_S

    async def run(self, *, concurrency: int) -> None:
        """Work until stopped.

        Raises:
            UnavailableError: The database was unavailable for too long.
            GoneError: It is no longer the one that was opened.
        """
        with ExitStack() as stack:
            # On SQLite one process sends at a time, which may take hours.
            while not self._stop.is_set():
                try:
                    stack.enter_context(sending_lock(self._app.store))
                    break
                except RefusedError:
                    self._note(
                        "another process is sending from this database; waiting for it to finish"
                    )
                    await self._pause(SHORTEST_REST_S)
            sweeping = asyncio.create_task(self._keep_sweeping())
            try:
                await self._dispatcher.run(self._work, concurrency=concurrency, stop=self._stop)
                await sweeping
            finally:
                sweeping.cancel()
                await self._close()
        if self._failure:
            raise self._failure

    async def once(self) -> None:
        """Work until nothing is due.

        Raises:
            RefusedError: Another process is sending from this SQLite database.
            UnavailableError: The transport or the database cannot be reached.
        """
        with sending_lock(self._app.store):
            try:
                while due := await asyncio.to_thread(self._sweep):
                    for chunk_id in due:
                        if self._stop.is_set():
                            return
                        await self._send(chunk_id)
            finally:
                await self._close()

    async def _keep_sweeping(self) -> None:
        loop = asyncio.get_running_loop()
        good = loop.time()

        def sweep_and_enqueue() -> None:
            if due := self._sweep():
                with self._app.store.write() as connection:
                    self._dispatcher.enqueue(connection, due)

        while not self._stop.is_set():
            try:
                await asyncio.to_thread(sweep_and_enqueue)
                await self._close(unused_since=loop.time() - IDLE_S)
                good = loop.time()
            except GoneError as error:
                self._fail(error)
            except UnavailableError as error:
                self._note(str(error))
                if loop.time() - good > self._patience:
                    self._fail(error)
            except Exception as error:
                # A worker that cannot sweep would look alive and send nothing.
                self._fail(error)
            await self._pause(SWEEP_S)

    def _sweep(self) -> list[int]:
        """Recover, start and complete what is due in the ledger; return the chunks to send."""
        store, settings = self._app.store, self._app.settings
        # First: the chunks of dead workers are among those that are due afterwards.
        recover(store, self._app.journal_folder)
        for campaign_id in schedule.start_due(store, settings):
            self._tell(f"campaign {campaign_id} has started")
        for campaign_id in complete_finished(self._app):
            self._tell(f"campaign {campaign_id} is finished")
        with store.read() as connection:
            return due_chunks(connection, settings.transport, store.now(connection))

    async def _work(self, chunk_id: int) -> None:
        """Send a chunk for the dispatcher, which never sees an error."""
        if self._stop.is_set():
            return
        try:
            await self._send(chunk_id)
            self._trouble, self._rest = "", SHORTEST_REST_S
        except GoneError as error:
            self._fail(error)
        except UnavailableError as error:
            self._note(str(error))
            await self._pause(self._rest)
            self._rest = min(2 * self._rest, LONGEST_REST_S)
        except Exception as error:
            self._fail(error)

    async def _send(self, chunk_id: int) -> None:
        """Claim a chunk, if it is still ready, and send it."""
        app = self._app

        def campaign_of_chunk() -> tuple[int, str] | None:
            with app.store.read() as connection:
                row = connection.execute(
                    select(campaign.c.id, campaign.c.digest)
                    .join(chunk, chunk.c.campaign_id == campaign.c.id)
                    .where(chunk.c.id == chunk_id, campaign.c.transport == app.settings.transport)
                ).first()
            return None if row is None else (row.id, row.digest)

        found = await asyncio.to_thread(campaign_of_chunk)
        if found is None:
            return
        campaign_id, digest = found
        # Before the claim: a worker that cannot send must not keep the chunk from one that can.
        kept = self._open.get(campaign_id)
        if kept is None:
            kept = self._open[campaign_id] = _Open(self._prepare(campaign_id, digest))
        kept.chunks += 1
        try:
            claimed = await asyncio.to_thread(
                claim_chunk,  # None when another worker was quicker
                app.store,
                app.journal_folder,
                campaign_id,
                self._owner,
                chunk_id=chunk_id,
            )
            if claimed is not None:
                await run_chunk(kept.sending, claimed)
        finally:
            kept.chunks -= 1
            kept.used = asyncio.get_running_loop().time()

    def _prepare(self, campaign_id: int, digest: str) -> Sending:
        """Open what a campaign is sent with."""
        app = self._app
        with app.store.read() as connection:
            # Only for the refusal: the transport may have been reconfigured since the launch.
            preflight.reaches_people(connection, app.settings, campaign_id)
            # From the database, not the project: exactly what was approved is sent.
            compiled = approval.load(connection, digest)
        mailer = open_mailer(app, compiled, campaign_id)
        return Sending(
            app.store,
            mailer.transport,
            mailer.compose,
            app.journal_folder,
            self._stop,
            BatchSizer(mailer.limits.batch, mailer.transport.batch),
            LiveCounts(OutcomeCounts(), None),
            mailer.limits,
        )

    async def _close(self, *, unused_since: float = inf) -> None:
        """Close what no chunk has used since then (seconds of the loop's clock); default: all."""
        for campaign_id, kept in list(self._open.items()):
            if unused_since == inf or (not kept.chunks and kept.used < unused_since):
                del self._open[campaign_id]
                with suppress(NewsletterError, OSError):
                    await kept.sending.transport.close()
                kept.sending.close()

    def _fail(self, error: Exception) -> None:
        """Stop the worker because of an error; the first one is raised at the end."""
        self._failure = self._failure or error
        self._stop.set()

    def _note(self, trouble: str) -> None:
        """Report a problem once, however often it occurs in a row."""
        if trouble != self._trouble:
            self._tell(trouble)
        self._trouble = trouble

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
