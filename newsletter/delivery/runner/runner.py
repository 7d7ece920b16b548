"""Run a campaign: claim a chunk, reserve batches, send them, record outcomes, repeat.

The ledger works in its own thread, so that connections never wait for a disk. While one batch is
sent, the next is reserved.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from newsletter.delivery.ledger import leases
from newsletter.delivery.ledger.chunks import LOOK_S, seconds_until_due
from newsletter.delivery.ledger.journal import FileJournal, own_evidence
from newsletter.delivery.ledger.leases import Lease
from newsletter.delivery.ledger.outcomes import OutcomeCounts, count_outcomes
from newsletter.delivery.ledger.rate import NO_RATES, Rates
from newsletter.delivery.ledger.recover import recover
from newsletter.delivery.ledger.retry import DEFAULT_POLICY, RetryPolicy
from newsletter.delivery.ledger.sending_lock import sending_lock
from newsletter.delivery.model import Compose, Delivery, Outcome, Transport
from newsletter.delivery.runner.batch_sizer import BatchSizer
from newsletter.delivery.runner.circuit_breaker import NEVER, BreakerRule, CircuitBreaker, trip
from newsletter.delivery.runner.gate import gate
from newsletter.delivery.runner.live_counts import LiveCounts
from newsletter.errors import UnavailableError
from newsletter.store.engine import Store

IN_FLIGHT = 2

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class SendLimits:
    """The limits of a run.

    ``batch``: deliveries offered at once, at most. ``patience``: seconds to wait for a retry to be
    due, enough for the first one; a longer wait ends the run. ``retry``: when to retry deferred
    deliveries. ``rates``: messages per second. ``hold``: when to pause the campaign.
    """

    batch: int = 500
    patience: float = 90.0
    retry: RetryPolicy = DEFAULT_POLICY
    rates: Rates = NO_RATES
    hold: BreakerRule = NEVER


LIMITS = SendLimits()


@dataclass(slots=True)
class Sending:
    """What every chunk of a run shares."""

    store: Store
    transport: Transport
    compose: Compose
    journal_dir: Path
    stop: asyncio.Event
    pace: BatchSizer
    counts: LiveCounts
    limits: SendLimits = LIMITS
    _thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="ledger")
    )

    async def ledger(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function of the ledger in its thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: call(*args, **kwargs))

    async def rest(self, seconds: float) -> None:
        """Wait, but no longer than until a stop."""
        if not seconds:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), seconds)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()


async def run_campaign(  # noqa: PLR0913 - the parts of a send, each named once
    store: Store,
    campaign_id: int,
    transport: Transport,
    compose: Compose,
    *,
    owner: str,
    journal_dir: Path,
    progress: Callable[[OutcomeCounts], None] | None = None,
    counted: OutcomeCounts | None = None,
    stop: asyncio.Event | None = None,
    limits: SendLimits = LIMITS,
) -> None:
    """Send what is due of a campaign in state ``sending``, until nothing more is.

    Args:
        transport: Stays open; the caller closes it.
        owner: The name of the sender, for people to read.
        journal_dir: Where the journals are kept until they are settled.
        progress: Called with the counts about twice a second and at the end.
        counted: The counts now, if they are known; else they are counted if ``progress`` is given.
        stop: Once set, nothing more is offered, and what was not begun within a second returns.
        limits: How much at once and per second, how patient, and when to pause.

    Raises:
        RefusedError: Another process is sending from this database.
        UnavailableError: The transport cannot be reached or the journal cannot be written. Run
            again to continue.
    """
    with sending_lock(store):
        # Before the first claim: a dead sender may have left chunks of this campaign.
        recover(store, journal_dir)
        if progress and counted is None:
            with store.read() as connection:
                counted = count_outcomes(connection, campaign_id)
        counts = LiveCounts(counted or OutcomeCounts(), progress)
        stop = stop or asyncio.Event()
        pace = BatchSizer(limits.batch, transport.batch)
        sending = Sending(store, transport, compose, journal_dir, stop, pace, counts, limits)
        try:
            async with _Overlap(sending) as chunks:
                while not stop.is_set():
                    claimed = await sending.ledger(
                        claim_chunk, store, journal_dir, campaign_id, owner
                    )
                    if claimed is not None:
                        await chunks.begin(claimed)
                        continue
                    # What the last chunks return or defer may be due at once.
                    if await chunks.end():
                        continue
                    # Another worker may have died since the run began.
                    await sending.ledger(recover, store, journal_dir)
                    wait = await sending.ledger(seconds_until_due, store, campaign_id)
                    if wait is None or wait > limits.patience:
                        return
                    counts.tell()
                    await sending.rest(min(max(wait, 0.05), LOOK_S))
        finally:
            sending.close()
            counts.tell()


class _Overlap:
    """Runs chunks one after the other, each begun while the last messages of another are under way.

    Otherwise the connections would idle while one is finished and the next is claimed.
    """

    def __init__(self, sending: Sending) -> None:
        self._sending = sending
        self._under_way: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> _Overlap:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            for task in self._under_way:
                task.cancel()
        ends = await asyncio.gather(*self._under_way, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception) and error is None:
                raise end

    async def begin(self, claimed: Claimed) -> None:
        """Run a chunk until all of it is offered, and the one before it to its end."""
        offered = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(run_chunk(self._sending, claimed, offered))
        self._under_way.append(task)
        await asyncio.wait((task, offered), return_when=asyncio.FIRST_COMPLETED)
        while len(self._under_way) > 1:
            await self.end()

    async def end(self) -> bool:
        """Wait for the chunk that began first; False when none is under way."""
        if not self._under_way:
            return False
        await self._under_way.pop(0)
        return True


class Claimed(NamedTuple):
    """A leased chunk and its journal."""

    lease: Lease
    journal: FileJournal


def claim_chunk(
    store: Store, journal_dir: Path, campaign_id: int, owner: str, *, chunk_id: int | None = None
) -> Claimed | None:
    """Claim a chunk with `leases.claim`, with a journal that exists as soon as the lease does.

    Raises:
        UnavailableError: The journal cannot be created, or the database cannot be reached.
    """
    with ExitStack() as undo:
        opened: list[FileJournal] = []

        def begin(lease: Lease) -> None:
            opened.append(FileJournal(journal_dir / lease.journal, lease.origin))
            # Not removed: the claim may have been committed although its reply was lost.
            undo.callback(opened[0].close, remove=False)

        lease = leases.claim(store, campaign_id, owner, chunk_id=chunk_id, begin=begin)
        undo.pop_all()
    return Claimed(lease, opened[0]) if lease else None


async def run_chunk(
    sending: Sending, claimed: Claimed, offered: asyncio.Future[None] | None = None
) -> None:
    """Send one leased chunk until it is exhausted, the campaign halts or sending is stopped.

    Args:
        offered: Done once all of it is offered, while the last messages are under way.

    Raises:
        UnavailableError: The transport cannot be reached or the journal cannot be written;
            everything offered has its outcome in the ledger, and the chunk can be claimed again.
    """
    lease, journal = claimed
    run = ChunkRun(sending, lease, journal, offered)
    settled = False
    began = time.monotonic()
    facts = {"campaign": lease.campaign_id, "chunk": lease.chunk_id}
    log.info("chunk claimed", extra={**facts, "kind": lease.kind})
    try:
        await run.work()
        settled = True
    finally:
        # Kept unless everything in it is in the ledger: it is the only evidence after a failure.
        journal.close(remove=settled)
        seconds = round(time.monotonic() - began, 3)
        log.info("chunk finished", extra={**facts, "settled": settled, "seconds": seconds})
    if run.failure:
        log.warning("unavailable", extra={**facts, "error": type(run.failure).__name__})
    if isinstance(run.failure, OSError):
        raise UnavailableError(
            f"sending stopped: the journal cannot be written ({run.failure})",
            fix="free some disk space and run again: nobody is mailed twice",
        )
    if run.failure:
        raise run.failure


class ChunkRun:
    """One chunk being sent: the batches in flight, and the outcomes not stored yet.

    ``failure`` is what a transport raised; every batch has its outcomes anyway.
    """

    def __init__(
        self,
        sending: Sending,
        lease: Lease,
        journal: FileJournal,
        offered: asyncio.Future[None] | None,
    ) -> None:
        self.failure: Exception | None = None
        self._sending = sending
        self._lease = lease
        self._journal = journal
        self._offered = offered
        self._flights: dict[asyncio.Task[list[Outcome]], Sequence[Delivery]] = {}
        self._gathered: list[Outcome] = []
        self._gate = gate(sending.compose)
        self._watch = CircuitBreaker(sending.limits.hold)
        self._halted = False
        self._exhausted = False
        self._rest = 0.0

    async def work(self) -> None:
        """Offer and send; at the end everything is settled, and the lease is released."""
        try:
            while True:
                while self._may_offer():
                    await self._offer()
                if not self._flights:
                    break
                await self._land()
        except Exception:
            await self._wait_for_flights()
            raise
        except asyncio.CancelledError:
            for flight in self._flights:
                flight.cancel()
            await self._wait_for_flights()
            raise
        if self._exhausted:
            await self._ledger(leases.finish, self._take(), policy=self._sending.limits.retry)
        else:
            await self._ledger(leases.release, self._take(), self._rest)

    def _may_offer(self) -> bool:
        closed = self._exhausted or self._halted or self._rest or self.failure
        return not (closed or self._sending.stop.is_set()) and len(self._flights) < IN_FLIGHT

    async def _offer(self) -> None:
        pace = self._sending.pace
        if pace.pause:
            await self._sending.rest(pace.pause)
            if self._sending.stop.is_set():
                return
        offered = await self._ledger(
            leases.reserve_batch, pace.size, self._take(), self._sending.limits.rates
        )
        self._exhausted = offered.exhausted
        self._halted = offered.halted
        self._rest = offered.rest
        self._sending.counts.count_skips(self._lease.kind, offered.skipped)
        # Over the rate counts as returned: requeued in a chunk of that domain alone.
        self._sending.counts.count(self._lease.kind, offered.over)
        if offered.deliveries:
            deliver = self._sending.transport.deliver
            flight = deliver(offered.deliveries, self._gate, self._journal)
            self._flights[asyncio.ensure_future(flight)] = offered.deliveries
        if self._exhausted and self._offered:
            # Lets the next chunk be claimed while the last messages of this one are under way.
            self._offered.set_result(None)
        await self._sending.rest(min(offered.wait, LOOK_S))

    async def _land(self) -> None:
        done, _ = await asyncio.wait(
            self._flights, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            # A heartbeat: it renews the lease, and tells whether the campaign still sends.
            self._halted = not await self._ledger(leases.record_outcomes, self._take())
            if self._halted or self._sending.stop.is_set():
                self._recall()
        for flight in done:
            outcomes = self._outcomes(flight, self._flights.pop(flight))
            self._gathered += outcomes
            self._sending.pace.batch_ended(outcomes)
            self._sending.counts.count(self._lease.kind, outcomes)
            self._watch.learn(outcomes)
        if self._watch.verdict and not self._halted:
            self._halted = True
            self._recall()
            sending, campaign_id = self._sending, self._lease.campaign_id
            await sending.ledger(trip, sending.store, campaign_id, self._watch.verdict)

    def _recall(self) -> None:
        """Begin nothing more; messages on the wire are waited for."""
        self._gate.closed = True
        self._sending.transport.recall()

    def _outcomes(
        self, flight: asyncio.Task[list[Outcome]], batch: Sequence[Delivery]
    ) -> list[Outcome]:
        """One outcome per delivery: the transport's, or what the journal proves."""
        error = flight.exception()
        if isinstance(error, Exception):
            self.failure = self.failure or error
        given = {} if error else {outcome.position: outcome for outcome in flight.result()}
        silent = [each.position for each in batch if each.position not in given]
        if silent:
            # A transport that failed halfway reports nothing, but may have sent some of the batch.
            evidence = own_evidence(self._journal)
            given.update({position: evidence.outcome(position) for position in silent})
        return [given[each.position] for each in batch]

    async def _wait_for_flights(self) -> None:
        await asyncio.gather(*self._flights, return_exceptions=True)

    async def _ledger(self, call: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        return await self._sending.ledger(call, self._sending.store, self._lease, *args, **kwargs)

    def _take(self) -> list[Outcome]:
        gathered, self._gathered = self._gathered, []
        return gathered
