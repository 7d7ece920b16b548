"""A worker: takes chunks of whatever campaign sends, beside any number of others.

What is due stands in the ledger. Every few seconds a worker's sweep puts the ledger in order and
has its engine hand out what is due; whoever is handed a chunk claims it in the ledger first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from sqlalchemy import select

from newsletter.audience import TokenSigner, check_suppression_key
from newsletter.audience.keys import check_signing_key
from newsletter.campaign import approval, preflight, schedule
from newsletter.campaign.desk import Desk
from newsletter.campaign.ending import end_done
from newsletter.campaign.sending import limits_of, open_transport, sender_name
from newsletter.deliver import Composer, Tally
from newsletter.deliver.chunks import due_chunks
from newsletter.deliver.counts import Counts
from newsletter.deliver.lock import sending_lock
from newsletter.deliver.pace import Pace
from newsletter.deliver.recover import recover
from newsletter.deliver.runner import Sending, claim_chunk, run_chunk
from newsletter.engine import open_dispatcher, prepare
from newsletter.errors import GoneError, NewsletterError, RefusedError, UnavailableError
from newsletter.store.schema import campaign, chunk

SWEEP_S = 2.0
PATIENCE_S = 300.0
"""How long the database may be away before a worker gives up, for whoever supervises it."""
SHORTEST_REST_S, LONGEST_REST_S = 1.0, 60.0
IDLE_S = 20.0
"""Then connections are closed; servers close idle ones after some minutes anyway."""

Tell = Callable[[str], None]


@dataclass(slots=True)
class _Open:
    """What is kept open for one campaign."""

    sending: Sending
    chunks: int = 0
    used: float = 0.0


class Worker:
    """One process that sends.

    Args:
        desk: Its settings name the transport; campaigns that go by another are left to others.
        tell: Told in a line what a person should know.
        stop: Once set, nothing more is offered, and the worker ends.
        patience: Seconds that the database may be away.

    Raises:
        RefusedError: The keys are not those of this database.
    """

    def __init__(
        self, desk: Desk, *, tell: Tell, stop: asyncio.Event, patience: float = PATIENCE_S
    ) -> None:
        check_suppression_key(desk.store, desk.keys)
        with desk.store.write() as connection:
            check_signing_key(connection, desk.keys)
        prepare(desk.store)
        self._desk = desk
        self._tell = tell
        self._stop = stop
        self._patience = patience
        self._dispatcher = open_dispatcher(desk.store, desk.settings.transport)
        self._owner = sender_name()
        self._open: dict[int, _Open] = {}
        self._failure: Exception | None = None
        self._trouble = ""
        self._rest = SHORTEST_REST_S

    async def run(self, *, concurrency: int) -> None:
        """Work until stopped.

        Raises:
            UnavailableError: The database was away for too long.
            GoneError: It is not the one that was opened any more.
        """
        with ExitStack() as stack:
            await self._take_the_right_to_send(stack)
            sweeping = asyncio.create_task(self._keep_sweeping())
            try:
                await self._dispatcher.run(self._work, concurrency=concurrency, stop=self._stop)
                await sweeping
            finally:
                sweeping.cancel()
                await self._close_all()
        if self._failure:
            raise self._failure

    async def once(self) -> None:
        """Work until nothing is due, and end.

        Raises:
            RefusedError: Another process is sending from this SQLite database.
            UnavailableError: The transport or the database is out of reach.
        """
        with sending_lock(self._desk.store):
            try:
                while due := await asyncio.to_thread(self._sweep):
                    for chunk_id in due:
                        if self._stop.is_set():
                            return
                        await self._claim_and_run(chunk_id)
            finally:
                await self._close_all()

    async def _take_the_right_to_send(self, stack: ExitStack) -> None:
        while not self._stop.is_set():
            try:
                stack.enter_context(sending_lock(self._desk.store))
            except RefusedError:
                self._note("another process is sending from this database; waiting for it to end")
                await self._pause(SHORTEST_REST_S)
            else:
                return

    async def _keep_sweeping(self) -> None:
        loop = asyncio.get_running_loop()
        good = loop.time()
        while not self._stop.is_set():
            try:
                due = await asyncio.to_thread(self._sweep)
                await asyncio.to_thread(self._enqueue, due)
                await self._close_idle(loop.time() - IDLE_S)
                good = loop.time()
            except GoneError as error:
                self._fail(error)
            except UnavailableError as error:
                self._note(str(error))
                if loop.time() - good > self._patience:
                    self._fail(error)
            except Exception as error:
                self._fail(error)
            await self._pause(SWEEP_S)

    def _sweep(self) -> list[int]:
        """Put the ledger in order; the chunks that are due."""
        store, settings = self._desk.store, self._desk.settings
        recover(store, self._desk.journal_folder)
        for campaign_id in schedule.start_due(store, settings):
            self._tell(f"campaign {campaign_id} begins")
        for campaign_id in end_done(self._desk):
            self._tell(f"campaign {campaign_id} is finished")
        with store.read() as connection:
            return due_chunks(connection, settings.transport, store.now(connection))

    def _enqueue(self, due: list[int]) -> None:
        if due:
            with self._desk.store.write() as connection:
                self._dispatcher.enqueue(connection, due)

    async def _work(self, chunk_id: int) -> None:
        """Run a chunk for the engine; what goes wrong is not the engine's business."""
        if self._stop.is_set():
            return
        try:
            await self._claim_and_run(chunk_id)
            self._trouble, self._rest = "", SHORTEST_REST_S
        except GoneError as error:
            self._fail(error)
        except UnavailableError as error:
            self._note(str(error))
            await self._pause(self._rest)
            self._rest = min(2 * self._rest, LONGEST_REST_S)
        except Exception as error:
            self._fail(error)

    async def _claim_and_run(self, chunk_id: int) -> None:
        campaign_id = await asyncio.to_thread(self._campaign_of, chunk_id)
        if campaign_id is None:
            return
        # Before the claim: what cannot send must not keep a chunk from those who can.
        kept = self._open.get(campaign_id)
        if kept is None:
            kept = self._open[campaign_id] = _Open(self._sending(campaign_id))
        kept.chunks += 1
        try:
            folder = self._desk.journal_folder
            claimed = await asyncio.to_thread(
                claim_chunk, self._desk.store, folder, campaign_id, self._owner, chunk_id=chunk_id
            )
            if claimed is not None:
                await run_chunk(kept.sending, claimed)
        finally:
            kept.chunks -= 1
            kept.used = asyncio.get_running_loop().time()

    def _campaign_of(self, chunk_id: int) -> int | None:
        with self._desk.store.read() as connection:
            found: int | None = connection.execute(
                select(campaign.c.id)
                .join(chunk, chunk.c.campaign_id == campaign.c.id)
                .where(
                    chunk.c.id == chunk_id, campaign.c.transport == self._desk.settings.transport
                )
            ).scalar()
        return found

    def _sending(self, campaign_id: int) -> Sending:
        desk, settings = self._desk, self._desk.settings
        with desk.store.read() as connection:
            preflight.require_reach(connection, settings, campaign_id)
            digest = select(campaign.c.digest).where(campaign.c.id == campaign_id)
            compiled = approval.load(connection, connection.execute(digest).scalar_one())
        composer = Composer(
            compiled,
            signer=TokenSigner(desk.keys),
            bounce_address=settings.bounce_address,
            proof=False,
            campaign_id=campaign_id,
        )
        limits = limits_of(settings)
        folder = settings.var / "outbox" / f"campaign-{campaign_id}"
        transport = open_transport(settings, folder)
        return Sending(
            desk.store,
            transport,
            composer,
            desk.journal_folder,
            self._stop,
            Pace(limits.batch, transport.batch),
            Counts(Tally(), None),
            limits,
        )

    async def _close_idle(self, unused_since: float) -> None:
        for campaign_id, kept in list(self._open.items()):
            if not kept.chunks and kept.used < unused_since:
                del self._open[campaign_id]
                await _close(kept.sending)

    async def _close_all(self) -> None:
        for kept in self._open.values():
            await _close(kept.sending)
        self._open.clear()

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._stop.set()

    def _note(self, trouble: str) -> None:
        """Tell of a trouble once, however often it is met."""
        if trouble != self._trouble:
            self._tell(trouble)
        self._trouble = trouble

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


async def _close(sending: Sending) -> None:
    with suppress(NewsletterError, OSError):
        await sending.transport.close()
    sending.close()
