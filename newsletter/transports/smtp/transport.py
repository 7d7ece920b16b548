"""The `smtp` transport: hands messages to a relay over a pool of pipelined connections.

Written here because no asyncio client pipelines from one message to the next, which is worth a
factor of four. What is promised: a message whose end may have left this machine is never sent
again by this transport, and every delivery gets exactly one outcome.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections import deque
from collections.abc import Sequence

from newsletter.delivery.model import Compose, Delivery, Journal, Outcome, Result, WithheldError
from newsletter.errors import InputError, NewsletterError, UnavailableError
from newsletter.settings.model import Smtp
from newsletter.transports.smtp.connection import SmtpConnection
from newsletter.transports.smtp.handshake import NoSessionError, open_session, tls_context
from newsletter.transports.smtp.pending_message import PendingBatch, PendingMessage
from newsletter.transports.smtp.protocol import CannotCarryError, Capabilities, Reply, envelope

ATTEMPTS = 5
"""Fruitless connections in a row until everything is given back."""
WORTH_A_CONNECTION = 5
"""Waiting messages for which one more connection is opened."""
CALM = 30.0
"""Seconds without further connections after the server refused one beside others."""
_SERVER_SAID = re.compile(r"\b([2-5]\d\d) .*", re.DOTALL)

log = logging.getLogger(__name__)


class SmtpTransport:
    """Carries messages to `settings.host` (see `deliver.model.Transport`).

    A batch joins one queue that all connections draw from, so that none idles between batches.
    Connections are opened on demand, renewed after `messages_per_connection`, and met with
    growing pauses while the server is unwell. A message that has not been begun when its
    connection is lost goes to another one; when that is lost too, it is `deferred`.

    Args:
        settings: The relay.
        backoff: Seconds before the first further attempt; doubled with each.

    Raises:
        RefusedError: Mail would leave this machine in the clear.
        InputError: ``ca_file`` cannot be read.
    """

    batch = 0

    def __init__(self, settings: Smtp, *, backoff: float = 0.5) -> None:
        self._settings = settings
        self._tls = tls_context(settings)
        self._backoff = backoff
        self._queue: deque[PendingMessage] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._live: set[SmtpConnection] = set()
        self._resting: set[SmtpConnection] = set()
        self._failures = 0
        self._calm_until = 0.0
        self._halted: Exception | None = None

    async def deliver(
        self, batch: Sequence[Delivery], compose: Compose, journal: Journal
    ) -> list[Outcome]:
        """Deliver a batch; several may be under way.

        When called off (cancelled), what has not been begun never is; what has been, ends in the
        journal. A delivery that cannot be composed (`InputError`) is `failed`. A journal or a
        `compose` that raises anything else stops the transport: the outcomes so far are given,
        and this or the next call raises that error.

        Raises:
            UnavailableError: The server is absent, untrusted, or refuses us.
        """
        if self._halted:
            raise self._halted
        if not batch:
            return []
        work = PendingBatch(batch, compose, journal)
        self._queue.extend([PendingMessage(delivery, work) for delivery in batch])
        self._spread()
        try:
            return await work.outcomes()
        except asyncio.CancelledError:
            self._queue = deque(job for job in self._queue if job.batch is not work)
            raise

    def recall(self) -> None:
        """Give back what waits for a connection; what is announced or on its way goes on."""
        self._return_waiting("the sending was stopped")
        for sender in self._live:
            sender.hurry()

    async def close(self) -> None:
        """Finish what is announced, say QUIT on every connection, give back the rest.

        Takes as long as the replies under way, each at most `settings.timeout`.
        """
        self._halted = self._halted or UnavailableError("the transport is closed")
        self._give_back(self._halted)
        for task in self._opening:
            task.cancel()
        for sender in list(self._live):
            sender.finish()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def take(self, server: Capabilities) -> PendingMessage | None:
        """Give the next message, composed; refuse what this server cannot carry."""
        while self._queue:
            job = self._queue.popleft()
            try:
                message = job.batch.compose(job.delivery)
                job.envelope = envelope(message, server)
                job.data = message.data
            except CannotCarryError as refusal:
                job.settle(Result.FAILED, refusal.reply)
            except InputError as error:
                job.settle(Result.FAILED, note=error.message)
            except WithheldError:
                job.settle(Result.RETURNED)
            except Exception as error:
                self._queue.appendleft(job)
                self.halt(error)
            else:
                return job
        return None

    def rest(self, sender: SmtpConnection) -> None:
        """Note that this connection waits for work."""
        self._resting.add(sender)

    def progress(self) -> None:
        """Note that the server does its work."""
        self._failures = 0

    def lost(self, job: PendingMessage, reply: Reply | None, why: str, *, first: bool) -> None:
        """Send again what was announced in vain.

        Two losses as a connection's first message put a message off. A loss behind others weighs
        less, since there it is the connection's share that ran out: on each once, at most.
        """
        connections = self._settings.connections
        job.losses += connections if first else 1
        job.data = b""
        if job.batch.error or self._halted:
            job.settle(Result.RETURNED, note=why)
        elif job.losses >= 2 * connections:
            job.settle(Result.DEFERRED, reply, why)
        elif not job.batch.abandoned:
            self._queue.appendleft(job)
            self._spread()

    def halt(self, error: Exception) -> None:
        """Begin nothing more, now or later."""
        if isinstance(error, OSError):
            error = UnavailableError(
                f"sending stopped: {error.strerror or error}", fix="mend this, then run again"
            )
        self._halted = self._halted or error
        self._give_back(self._halted)

    def _spread(self) -> None:
        while self._queue and self._resting:
            self._resting.pop().work()
        while len(self._tasks) < self._wanted():
            task = asyncio.create_task(self._serve())
            self._tasks.add(task)
            self._opening.add(task)

    def _wanted(self) -> int:
        """How many connections there should be; one only while the server's health is unknown."""
        if not self._queue:
            return 0
        calm = asyncio.get_running_loop().time() < self._calm_until
        if self._failures or calm or not self._live:
            return 1
        waiting = -(-len(self._queue) // WORTH_A_CONNECTION)
        return min(self._settings.connections, len(self._live) + waiting)

    async def _serve(self) -> None:
        """Open one connection and see it through to its end."""
        try:
            await self._connect_and_send()
        except NoSessionError as problem:
            self._failed(problem)
        except Exception as error:
            self.halt(error)
        finally:
            self._tasks -= {asyncio.current_task()}
            self._opening -= {asyncio.current_task()}
        self._spread()

    async def _connect_and_send(self) -> None:
        if self._failures:
            pause = self._backoff * 2 ** (self._failures - 1)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
        session = await open_session(self._settings, self._tls)
        self._opening -= {asyncio.current_task()}
        self._log("connection opened")
        sender = SmtpConnection(session, self, self._settings)
        self._live.add(sender)
        try:
            sender.start()
            self._spread()
            await sender.ended
        finally:
            sender.lose("the sending was stopped")
            self._live.discard(sender)
            self._resting.discard(sender)
        if sender.failure:
            self._log("connection lost", str(sender.failure_code or sender.failure))
        if sender.failure and not sender.progressed:
            self._count_failure(NoSessionError(sender.failure))

    def _failed(self, problem: NoSessionError) -> None:
        self._log("connection failed", problem.cause)
        if self._live:
            self._calm_until = asyncio.get_running_loop().time() + CALM
        else:
            self._count_failure(problem)

    def _count_failure(self, problem: NoSessionError) -> None:
        self._failures += 1
        if self._failures < ATTEMPTS and not problem.lasting:
            return
        self._failures = ATTEMPTS - 1
        host, port = self._settings.host, self._settings.port
        self._give_back(
            UnavailableError(
                f"SMTP server {host}:{port}: {problem.cause}",
                fix=problem.fix or "see that the server is well, then run again",
            )
        )

    def _log(self, event: str, reason: str = "") -> None:
        """Log without the server's words: they may quote a reader's address."""
        facts = {"host": self._settings.host, "port": self._settings.port}
        log.info(event, extra={**facts, "reason": _SERVER_SAID.sub(r"\1", reason)})

    def _give_back(self, error: Exception) -> None:
        """Return everything that has not been begun."""
        note = error.message if isinstance(error, NewsletterError) else type(error).__name__
        for job in self._queue:
            job.batch.error = error
        self._return_waiting(note)

    def _return_waiting(self, note: str) -> None:
        waiting, self._queue = self._queue, deque()
        for job in waiting:
            job.settle(Result.RETURNED, note=note)
