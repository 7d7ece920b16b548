"""The `smtp` transport: sends to a relay over a pool of pipelined connections.

Written here because no asyncio client pipelines from one message to the next, which makes sending
four times as fast. It promises never to resend a message whose end may have left this machine, and
exactly one outcome for every delivery.
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
"""Fruitless connections in a row after which everything is returned."""
WORTH_A_CONNECTION = 5
"""Waiting messages per additional connection."""
CALM = 30.0
"""Seconds without additional connections after the server refused one beside others."""
_SERVER_SAID = re.compile(r"\b([2-5]\d\d) .*", re.DOTALL)

log = logging.getLogger(__name__)


class SmtpTransport:
    """Sends to a relay; implements `newsletter.delivery.model.Transport`.

    All batches join one queue that all connections draw from, so that none idles between batches.
    Connections are opened on demand, renewed after `messages_per_connection`, and retried with
    growing pauses while the server is failing. A message that was not begun when its connection
    was lost goes to another one; if that is lost too, it is `deferred`.

    Args:
        settings: The relay.
        backoff: Seconds before the second attempt to connect; doubled with each.

    Raises:
        RefusedError: Mail would leave this machine unencrypted.
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

        If canceled, nothing further is begun; replies to what was begun are in the journal. A
        delivery that cannot be composed (`InputError`) is `failed`. A journal or a `compose` that
        raises anything else stops the transport: this call returns the outcomes so far, and this
        or the next call raises that error.

        Raises:
            UnavailableError: The server cannot be reached, is not trusted, or refuses us.
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
            self._queue = deque(pending for pending in self._queue if pending.batch is not work)
            raise

    def recall(self) -> None:
        """Return what waits for a connection; what is announced or on its way goes on."""
        self._return_waiting("the sending was stopped")
        for connection in self._live:
            connection.hurry()

    async def close(self) -> None:
        """Finish what is announced, send QUIT on every connection, and return the rest.

        Waits for the replies under way, at most `settings.timeout` seconds for each.
        """
        self._halted = self._halted or UnavailableError("the transport is closed")
        self._give_back(self._halted)
        for task in self._opening:
            task.cancel()
        for connection in list(self._live):
            connection.finish()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def take(self, server: Capabilities) -> PendingMessage | None:
        """Return the next message, composed; fail those that this server cannot carry."""
        while self._queue:
            pending = self._queue.popleft()
            try:
                message = pending.batch.compose(pending.delivery)
                pending.envelope = envelope(message, server)
                pending.data = message.data
            except CannotCarryError as refusal:
                pending.settle(Result.FAILED, refusal.reply)
            except InputError as error:
                pending.settle(Result.FAILED, note=error.message)
            except WithheldError:
                pending.settle(Result.RETURNED)
            except Exception as error:
                # Back in the queue first, so that `halt` returns it with the others.
                self._queue.appendleft(pending)
                self.halt(error)
            else:
                return pending
        return None

    def rest(self, connection: SmtpConnection) -> None:
        """Note that this connection waits for work."""
        self._resting.add(connection)

    def progress(self) -> None:
        """Note that the server is working."""
        self._failures = 0

    def lost(self, pending: PendingMessage, reply: Reply | None, why: str, *, first: bool) -> None:
        """Send a message again that was announced before its connection was lost."""
        # Two losses as the first message on a connection defer it: the server seems to choke on
        # this message. A loss behind others weighs less, since servers close a connection after
        # their share of messages, and that can happen once on each.
        connections = self._settings.connections
        pending.losses += connections if first else 1
        pending.data = b""
        if pending.batch.error or self._halted:
            pending.settle(Result.RETURNED, note=why)
        elif pending.losses >= 2 * connections:
            pending.settle(Result.DEFERRED, reply, why)
        elif not pending.batch.abandoned:
            self._queue.appendleft(pending)
            self._spread()

    def halt(self, error: Exception) -> None:
        """Begin nothing more, now or later."""
        if isinstance(error, OSError):
            error = UnavailableError(
                f"sending stopped: {error.strerror or error}", fix="fix this, then run again"
            )
        self._halted = self._halted or error
        self._give_back(self._halted)

    def _spread(self) -> None:
        """Give waiting messages to resting connections, and open as many more as are worth it."""
        while self._queue and self._resting:
            self._resting.pop().work()
        if not self._queue:
            return
        wanted = 1
        calm = asyncio.get_running_loop().time() < self._calm_until
        # Only one while the server's health is unknown: more would be refused as well.
        if self._live and not self._failures and not calm:
            waiting = -(-len(self._queue) // WORTH_A_CONNECTION)
            wanted = min(self._settings.connections, len(self._live) + waiting)
        while len(self._tasks) < wanted:
            task = asyncio.create_task(self._serve())
            self._tasks.add(task)
            self._opening.add(task)

    async def _serve(self) -> None:
        """Open one connection and see it through to its end."""
        try:
            if self._failures:
                pause = self._backoff * 2 ** (self._failures - 1)
                # Random, so that several workers do not return to a failing server all at once.
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
            session = await open_session(self._settings, self._tls)
            self._opening -= {asyncio.current_task()}
            self._log("connection opened")
            connection = SmtpConnection(session, self, self._settings)
            self._live.add(connection)
            try:
                connection.start()
                self._spread()
                await connection.ended
            finally:
                connection.lose("the sending was stopped")
                self._live.discard(connection)
                self._resting.discard(connection)
            if connection.failure:
                self._log("connection lost", str(connection.failure_code or connection.failure))
            if connection.failure and not connection.progressed:
                self._count_failure(NoSessionError(connection.failure))
        except NoSessionError as problem:
            self._log("connection failed", problem.cause)
            # While others work, the server is well and only wants no more connections.
            if self._live:
                self._calm_until = asyncio.get_running_loop().time() + CALM
            else:
                self._count_failure(problem)
        except Exception as error:
            self.halt(error)
        finally:
            self._tasks -= {asyncio.current_task()}
            self._opening -= {asyncio.current_task()}
        self._spread()

    def _count_failure(self, problem: NoSessionError) -> None:
        self._failures += 1
        if self._failures < ATTEMPTS and not problem.lasting:
            return
        # One below the limit: a later batch gets a single attempt, not five with their pauses.
        self._failures = ATTEMPTS - 1
        host, port = self._settings.host, self._settings.port
        self._give_back(
            UnavailableError(
                f"SMTP server {host}:{port}: {problem.cause}",
                fix=problem.fix or "check that the server is running, then run again",
            )
        )

    def _log(self, event: str, reason: str = "") -> None:
        # Only the code of what the server said: its words may quote a recipient's address.
        facts = {"host": self._settings.host, "port": self._settings.port}
        log.info(event, extra={**facts, "reason": _SERVER_SAID.sub(r"\1", reason)})

    def _give_back(self, error: Exception) -> None:
        """Return everything that was not begun."""
        note = error.message if isinstance(error, NewsletterError) else type(error).__name__
        for pending in self._queue:
            pending.batch.error = error
        self._return_waiting(note)

    def _return_waiting(self, note: str) -> None:
        waiting, self._queue = self._queue, deque()
        for pending in waiting:
            pending.settle(Result.RETURNED, note=note)
