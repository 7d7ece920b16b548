"""One SMTP connection at work, pipelined (RFC 2920).

The envelope of the next message leaves in the same write as the end of the one before, and its
body waits for 354. So at most one message waits for its final reply, at most one envelope is
behind it, and the order of the replies tells what each one answers.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

from newsletter.delivery.model import Result
from newsletter.errors import RefusedError
from newsletter.settings.model import Smtp
from newsletter.transports.smtp.handshake import SmtpSession
from newsletter.transports.smtp.pending_message import PendingMessage
from newsletter.transports.smtp.protocol import Capabilities, Reply, ReplyParser, fault_in

END = b".\r\n"
ONE_WRITE = 192 * 1024
"""Largest message, in octets, that is written together with its end. The end of a larger one is
held back until the kernel has the rest, so that a loss before that is known to be no delivery.
(Under TLS it is held back only until the TLS layer has the rest: such a loss stays uncertain.)"""
IDLE = 30.0
"""Seconds without work after which a connection says goodbye."""
GOODBYE = 5.0
"""Seconds to wait for the reply to QUIT."""

log = logging.getLogger(__name__)


class Feed(Protocol):
    """Gives a connection its work, and takes back what it could not do."""

    def take(self, server: Capabilities) -> PendingMessage | None:
        """Return the next message, composed, or None."""
        ...

    def rest(self, connection: SmtpConnection) -> None:
        """Note that this connection waits for work."""
        ...

    def lost(self, pending: PendingMessage, reply: Reply | None, why: str, *, first: bool) -> None:
        """Take back a message of which no body was sent.

        Args:
            first: Whether the connection was lost on its first message.
        """
        ...

    def progress(self) -> None:
        """Note that the server is working."""
        ...

    def halt(self, error: Exception) -> None:
        """Begin nothing more."""
        ...


class SmtpConnection(asyncio.Protocol):
    """Sends messages from its feed until told to finish, its share is done, or the server is lost.

    ``ended`` is done once the connection is closed; ``failure`` then says what went wrong.
    """

    def __init__(self, session: SmtpSession, feed: Feed, settings: Smtp) -> None:
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.failure = ""
        self.failure_code: int | None = None
        self.progressed = False
        self._transport, self._server = session
        self._feed = feed
        self._timeout = settings.timeout
        self._final_timeout = settings.final_timeout
        self._left = settings.messages_per_connection
        self._parser = ReplyParser()
        # Servers reply in the order of the commands: the next reply is for the first entry.
        self._expected: deque[tuple[Callable[[PendingMessage, Reply], None], PendingMessage]] = (
            deque()
        )
        self._announced: PendingMessage | None = None
        self._body: PendingMessage | None = None
        self._tail = b""
        self._more_replies = False
        self._checked = False
        self._paused = False
        self._quitting = False
        self._lost = False
        self._allowed = self._timeout
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Take over the connection and begin."""
        self._transport.set_protocol(self)
        # At 0 the event loop tells when the kernel has taken all, which large messages wait for.
        self._transport.set_write_buffer_limits(high=0)
        if self._transport.is_closing():
            self.failure = "the server closed the connection"
            self.connection_lost(None)
        else:
            self.work()

    def work(self) -> None:
        """Begin the next message; without one, say goodbye or rest."""
        if self._lost:
            return
        self._set_deadline(self._timeout)
        pending = self._next()
        if pending:
            self._write(self._announce(pending))
        elif self._left <= 0:
            self._quit()
        else:
            self._set_deadline(IDLE)
            self._feed.rest(self)

    def finish(self) -> None:
        """Send what is announced, begin nothing more, and say goodbye."""
        self._left = 0
        self.hurry()
        under_way = self._announced or self._body or self._expected
        if not (under_way or self._quitting or self._lost):
            self._quit()

    def hurry(self) -> None:
        """Wait for the reply to a message no longer than for others: someone wants to stop."""
        self._final_timeout = min(self._final_timeout, self._timeout)
        if self._deadline > self._loop.time() + self._timeout:
            self._set_deadline(self._timeout)

    def _next(self) -> PendingMessage | None:
        pending = self._feed.take(self._server) if self._left > 0 else None
        self._left -= bool(pending)
        return pending

    def _announce(self, pending: PendingMessage) -> bytes:
        """Expect the replies to a message's envelope, and return the commands to write."""
        self._announced = pending
        self._expected.append((self._on_mail, pending))
        if not self._server.pipelining:
            return pending.envelope.mail
        self._expected.append((self._on_rcpt, pending))
        self._expected.append((self._on_data, pending))
        return b"".join(pending.envelope)

    def _on_mail(self, pending: PendingMessage, reply: Reply) -> None:
        if not reply.good:
            pending.refusal = reply
        if not self._server.pipelining:
            self._step(pending, self._on_rcpt, pending.envelope.rcpt)

    def _on_rcpt(self, pending: PendingMessage, reply: Reply) -> None:
        if not reply.good:
            pending.refusal = pending.refusal or reply
        if not self._server.pipelining:
            self._step(pending, self._on_data, pending.envelope.data)

    def _step(
        self,
        pending: PendingMessage,
        handler: Callable[[PendingMessage, Reply], None],
        command: bytes,
    ) -> None:
        if pending.refusal:
            self._refused(pending, pending.refusal)
        else:
            self._expected.append((handler, pending))
            self._write(command)

    def _on_data(self, pending: PendingMessage, reply: Reply) -> None:
        if reply.code == 354 and self._more_replies:
            # What follows would be taken for the reply to the body that it cannot know yet.
            self.lose("the server sent a reply before it was asked")
        elif reply.code == 354 and pending.refusal:
            # RFC 2920 section 3.1: a server may accept DATA though it refused the recipient. A
            # single dot then ends the message, and must not deliver anything.
            self._expected.append((self._on_empty, pending))
            self._write(END)
        elif reply.code == 354:
            self._send(pending)
        elif reply.code >= 400:
            self._refused(pending, pending.refusal or reply)
        else:
            self.lose(f"the server sent an unexpected {reply.code} to DATA")

    def _on_empty(self, pending: PendingMessage, reply: Reply) -> None:
        refusal = pending.refusal or reply
        if reply.good:
            log.error("message without recipients accepted", extra={"code": refusal.code})
        self._refused(pending, refusal)

    def _refused(self, pending: PendingMessage, reply: Reply) -> None:
        """Settle a message of which no body was sent, and go on with the next."""
        self._announced = None
        self._record(pending, reply)
        # The server may have kept the sender, and would refuse the next MAIL as a nested one.
        self._expected.append((self._on_reset, pending))
        following = self._next() if self._server.pipelining else None
        self._write(b"RSET\r\n" + (self._announce(following) if following else b""))

    def _on_reset(self, pending: PendingMessage, reply: Reply) -> None:
        if not reply.good:
            self.lose(f"the server sent an unexpected {reply.code} to RSET")
        elif not self._announced:
            self.work()

    def _send(self, pending: PendingMessage) -> None:
        """Write a body, and with it the announcement of the next message."""
        if self._transport.is_closing():
            self.lose("the connection was closed")
            return
        if pending.batch.abandoned:
            self._announced = None
            self.lose("the sending was canceled")
            return
        # Only the first message of each connection: all are composed alike, and to scan every one
        # would take longer than to send it.
        fault = "" if self._checked else fault_in(pending.data)
        self._checked = True
        if fault:
            self._announced = None
            self._stop(pending, RefusedError(f"a composed message is unfit to be sent: {fault}"))
            return
        self._announced, self._body = None, pending
        self._expected.append((self._on_dot, pending))
        following = self._next() if self._server.pipelining else None
        tail = END + self._announce(following) if following else END
        try:
            # Directly before the write: without this line the body is known not to be sent.
            pending.batch.journal.begun(pending.delivery.position)
        except Exception as error:
            self._body = None
            self._stop(pending, error)
            return
        if len(pending.data) <= ONE_WRITE:
            # Together: a second write would cost another system call per message.
            self._transport.writelines((pending.data, tail))
            self._set_deadline(self._final_timeout)
            return
        self._tail = tail
        self._write(pending.data)
        if not self._paused:
            self.resume_writing()

    def _stop(self, pending: PendingMessage, error: Exception) -> None:
        pending.settle(Result.RETURNED, note=str(error))
        self._feed.halt(error)
        self.lose(str(error))

    def _on_dot(self, pending: PendingMessage, reply: Reply) -> None:
        if self._tail:
            # The message has not ended yet. A refusal can be believed; an acceptance cannot, and
            # the body that went out makes the message uncertain.
            if reply.code >= 400:
                self._body = None
                self._record(pending, reply)
            else:
                self._tail = b""
            self.lose(f"the server replied {reply.code} before the end of a message")
            return
        self._body = None
        self._record(pending, reply)
        if reply.code == 421:
            self.lose(reply.text, reply)
        elif not self._announced:
            self.work()

    def _record(self, pending: PendingMessage, reply: Reply) -> None:
        result = Result.ACCEPTED if reply.good else Result.DEFERRED
        if reply.code >= 500:
            result = Result.FAILED
        # 421 only says that the server closes the connection (RFC 5321 section 3.8).
        if reply.code != 421:
            self.progressed = True
            self._feed.progress()
        outcome = pending.settle(result, reply)
        try:
            pending.batch.journal.replied(outcome)
        except Exception as error:
            self._feed.halt(error)

    def data_received(self, data: bytes) -> None:
        """Read replies (called by the event loop)."""
        replies = self._parser.feed(data)
        if replies:
            self._set_deadline(self._timeout)
        waiting = len(replies)
        for reply in replies:
            waiting -= 1
            self._more_replies = waiting > 0 or self._parser.midway
            if self._lost:
                return
            if not self._expected:
                self.lose(f"{reply.code} {reply.text}", None if self._quitting else reply)
                return
            handler, pending = self._expected.popleft()
            if reply.code == 421 and handler != self._on_dot:
                self.lose(reply.text, reply)
            elif 300 <= reply.code < 400 and handler != self._on_data:
                self.lose(f"the server sent an unexpected {reply.code}")
            else:
                handler(pending, reply)
        if self._parser.error:
            self.lose(self._parser.error)

    def _write(self, data: bytes) -> None:
        # After a failed write the loop calls `connection_lost` only later; a write in between
        # would be logged as an error.
        if not self._transport.is_closing():
            self._transport.write(data)

    def _quit(self) -> None:
        self._quitting = True
        self._set_deadline(GOODBYE)
        self._write(b"QUIT\r\n")

    def lose(self, why: str, reply: Reply | None = None) -> None:
        """Close the connection, and settle what was under way as far as it can be known."""
        if self._lost:
            return
        self._lost = True
        body, announced = self._body, self._announced
        if body or announced or reply or self._parser.error:
            self.failure = why
            self.failure_code = reply.code if reply else None
        self._body = self._announced = None
        self._set_deadline(GOODBYE)
        self._transport.abort()
        # While the tail is held back, the server cannot have got the whole message.
        if body:
            body.settle(Result.DEFERRED if self._tail else Result.UNCERTAIN, note=why)
        if announced and announced.refusal:
            self._record(announced, announced.refusal)
        elif announced:
            self._feed.lost(announced, reply, why, first=not self.progressed)

    def eof_received(self) -> None:
        """Treat the end of the replies as a loss (called by the event loop)."""
        self.lose("the server closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle everything and finish (called by the event loop)."""
        self.lose(f"the connection was lost: {exc}" if exc else "the connection was closed")
        if self._timer:
            self._timer.cancel()
        if not self.ended.done():
            self.ended.set_result(None)

    def pause_writing(self) -> None:
        """Note that the kernel accepts no more for now (called by the event loop)."""
        self._paused = True

    def resume_writing(self) -> None:
        """Write the end that was held back: the kernel has the rest (called by the event loop)."""
        self._paused = False
        if self._tail and not self._lost:
            tail, self._tail = self._tail, b""
            self._set_deadline(self._final_timeout)
            self._write(tail)

    def _set_deadline(self, seconds: float) -> None:
        self._allowed = seconds
        self._deadline = self._loop.time() + seconds
        # A timer that fires too early is set again then, which is cheaper than to replace it with
        # every reply.
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._expire)
        elif self._quitting or self._lost:
            self._transport.abort()
        elif self._expected:
            self.lose(f"no reply within {self._allowed:g} s")
        else:
            self._left = 0
            self._quit()
