"""One SMTP connection at work, pipelined (RFC 2920).

The envelope of the next message leaves in the same write as the end of the one before, and its
body waits for 354. So at any moment at most one message waits for its final reply and one
envelope lies behind it, and what a reply answers is known from its place in line.
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
"""Octets of a message that are written together with its end. The end of a larger one is held
back until the kernel has the rest, so that a loss before that is known to be no delivery (under
TLS it is held back only until the TLS layer has the rest, and such a loss stays uncertain)."""
IDLE = 30.0
"""Seconds without work until a connection says goodbye."""
GOODBYE = 5.0
"""Seconds to wait for the answer to QUIT."""

log = logging.getLogger(__name__)


class Feed(Protocol):
    """Where a connection gets its work, and gives back what it could not do."""

    def take(self, server: Capabilities) -> PendingMessage | None:
        """Give the next message, composed, or None."""
        ...

    def rest(self, sender: SmtpConnection) -> None:
        """Note that this connection waits for work."""
        ...

    def lost(self, job: PendingMessage, reply: Reply | None, why: str, *, first: bool) -> None:
        """Take back a message of which no body was sent; ``first`` on its connection or not."""
        ...

    def progress(self) -> None:
        """Note that the server does its work."""
        ...

    def halt(self, error: Exception) -> None:
        """Begin nothing more."""
        ...


class SmtpConnection(asyncio.Protocol):
    """Sends what its feed gives, until told to finish, its share is done, or the line is lost.

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
        self._expected: deque[tuple[Callable[[PendingMessage, Reply], None], PendingMessage]] = (
            deque()
        )
        self._ready: PendingMessage | None = None
        self._body: PendingMessage | None = None
        self._tail = b""
        self._more_replies = False
        self._checked = False
        self._paused = False
        self._quitting = False
        self._over = False
        self._patience = self._timeout
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Take over the connection and begin."""
        self._transport.set_protocol(self)
        self._transport.set_write_buffer_limits(high=0)
        if self._transport.is_closing():
            self.failure = "the server closed the connection"
            self.connection_lost(None)
        else:
            self.work()

    def work(self) -> None:
        """Begin the next message; without one, say goodbye or rest."""
        if self._over:
            return
        self._await(self._timeout)
        job = self._next()
        if job:
            self._write(self._announce(job))
        elif self._left <= 0:
            self._quit()
        else:
            self._await(IDLE)
            self._feed.rest(self)

    def finish(self) -> None:
        """Send what is announced, begin nothing more, and say goodbye."""
        self._left = 0
        self.hurry()
        under_way = self._ready or self._body or self._expected
        if not (under_way or self._quitting or self._over):
            self._quit()

    def hurry(self) -> None:
        """Wait for no verdict longer than for any other reply: somebody wants to stop."""
        self._final_timeout = min(self._final_timeout, self._timeout)
        if self._deadline > self._loop.time() + self._timeout:
            self._await(self._timeout)

    def _next(self) -> PendingMessage | None:
        job = self._feed.take(self._server) if self._left > 0 else None
        self._left -= bool(job)
        return job

    def _announce(self, job: PendingMessage) -> bytes:
        self._ready = job
        self._expected.append((self._on_mail, job))
        if not self._server.pipelining:
            return job.envelope.mail
        self._expected.append((self._on_rcpt, job))
        self._expected.append((self._on_data, job))
        return b"".join(job.envelope)

    def _on_mail(self, job: PendingMessage, reply: Reply) -> None:
        if not reply.good:
            job.refusal = reply
        if not self._server.pipelining:
            self._step(job, self._on_rcpt, job.envelope.rcpt)

    def _on_rcpt(self, job: PendingMessage, reply: Reply) -> None:
        if not reply.good:
            job.refusal = job.refusal or reply
        if not self._server.pipelining:
            self._step(job, self._on_data, job.envelope.data)

    def _step(
        self, job: PendingMessage, handler: Callable[[PendingMessage, Reply], None], command: bytes
    ) -> None:
        if job.refusal:
            self._refused(job, job.refusal)
        else:
            self._expected.append((handler, job))
            self._write(command)

    def _on_data(self, job: PendingMessage, reply: Reply) -> None:
        if reply.code == 354 and self._more_replies:
            self.lose("the server answers before it is asked")
        elif reply.code == 354 and job.refusal:
            self._expected.append((self._on_empty, job))
            self._write(END)
        elif reply.code == 354:
            self._send(job)
        elif reply.code >= 400:
            self._refused(job, job.refusal or reply)
        else:
            self.lose(f"DATA was answered with {reply.code}")

    def _on_empty(self, job: PendingMessage, reply: Reply) -> None:
        refusal = job.refusal or reply
        if reply.good:
            log.error("message without recipients taken", extra={"code": refusal.code})
        self._refused(job, refusal)

    def _refused(self, job: PendingMessage, reply: Reply) -> None:
        """Settle a message of which no body was sent, and clear the server's table for the next."""
        self._ready = None
        self._record(job, reply)
        self._expected.append((self._on_reset, job))
        following = self._next() if self._server.pipelining else None
        self._write(b"RSET\r\n" + (self._announce(following) if following else b""))

    def _on_reset(self, job: PendingMessage, reply: Reply) -> None:
        if not reply.good:
            self.lose(f"RSET was answered with {reply.code}")
        elif not self._ready:
            self.work()

    def _send(self, job: PendingMessage) -> None:
        """Write a body, and with it the announcement of the next message."""
        if not self._may_begin(job):
            return
        self._ready, self._body = None, job
        self._expected.append((self._on_dot, job))
        following = self._next() if self._server.pipelining else None
        tail = END + self._announce(following) if following else END
        try:
            job.batch.journal.begun(job.delivery.position)
        except Exception as error:
            self._body = None
            self._stop(job, error)
            return
        if len(job.data) <= ONE_WRITE:
            self._transport.writelines((job.data, tail))
            self._await(self._final_timeout)
            return
        self._tail = tail
        self._write(job.data)
        if not self._paused:
            self.resume_writing()

    def _may_begin(self, job: PendingMessage) -> bool:
        if self._transport.is_closing():
            self.lose("the connection was closed")
            return False
        if job.batch.abandoned:
            self._ready = None
            self.lose("the sending was called off")
            return False
        fault = "" if self._checked else fault_in(job.data)
        self._checked = True
        if fault:
            self._ready = None
            self._stop(job, RefusedError(f"a composed message is unfit to be sent: {fault}"))
        return not fault

    def _stop(self, job: PendingMessage, error: Exception) -> None:
        job.settle(Result.RETURNED, note=str(error))
        self._feed.halt(error)
        self.lose(str(error))

    def _on_dot(self, job: PendingMessage, reply: Reply) -> None:
        if self._tail:
            self._early(job, reply)
            return
        self._body = None
        self._record(job, reply)
        if reply.code == 421:
            self.lose(reply.text, reply)
        elif not self._ready:
            self.work()

    def _early(self, job: PendingMessage, reply: Reply) -> None:
        """A verdict on a message that has not ended; only a refusal can be believed."""
        if reply.code >= 400:
            self._body = None
            self._record(job, reply)
        else:
            self._tail = b""
        self.lose(f"the end of a message was answered with {reply.code} too early")

    def _record(self, job: PendingMessage, reply: Reply) -> None:
        result = Result.ACCEPTED if reply.good else Result.DEFERRED
        if reply.code >= 500:
            result = Result.FAILED
        if reply.code != 421:
            self.progressed = True
            self._feed.progress()
        outcome = job.settle(result, reply)
        try:
            job.batch.journal.replied(outcome)
        except Exception as error:
            self._feed.halt(error)

    def data_received(self, data: bytes) -> None:
        """Read replies (called by the event loop)."""
        replies = self._parser.feed(data)
        if replies:
            self._await(self._timeout)
        waiting = len(replies)
        for reply in replies:
            waiting -= 1
            self._more_replies = waiting > 0 or self._parser.midway
            if self._over:
                return
            self._reply(reply)
        if self._parser.error:
            self.lose(self._parser.error)

    def _reply(self, reply: Reply) -> None:
        if not self._expected:
            self.lose(f"{reply.code} {reply.text}", None if self._quitting else reply)
            return
        handler, job = self._expected.popleft()
        if reply.code == 421 and handler != self._on_dot:
            self.lose(reply.text, reply)
        elif 300 <= reply.code < 400 and handler != self._on_data:
            self.lose(f"the server said {reply.code} out of turn")
        else:
            handler(job, reply)

    def _write(self, data: bytes) -> None:
        """Write, unless the loop has closed the line and is about to say so."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def _quit(self) -> None:
        self._quitting = True
        self._await(GOODBYE)
        self._write(b"QUIT\r\n")

    def lose(self, why: str, reply: Reply | None = None) -> None:
        """Close, and say of everything under way what can be known of it."""
        if self._over:
            return
        self._over = True
        body, ready = self._body, self._ready
        if body or ready or reply or self._parser.error:
            self.failure = why
            self.failure_code = reply.code if reply else None
        self._body = self._ready = None
        self._await(GOODBYE)
        self._transport.abort()
        if body:
            body.settle(Result.DEFERRED if self._tail else Result.UNCERTAIN, note=why)
        if ready and ready.refusal:
            self._record(ready, ready.refusal)
        elif ready:
            self._feed.lost(ready, reply, why, first=not self.progressed)

    def eof_received(self) -> None:
        """Nothing more will be answered (called by the event loop)."""
        self.lose("the server closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self.lose(f"the connection was lost: {exc}" if exc else "the connection was closed")
        if self._timer:
            self._timer.cancel()
        if not self.ended.done():
            self.ended.set_result(None)

    def pause_writing(self) -> None:
        """The kernel takes no more for now (called by the event loop)."""
        self._paused = True

    def resume_writing(self) -> None:
        """The kernel has all that was written (called by the event loop)."""
        self._paused = False
        if self._tail and not self._over:
            tail, self._tail = self._tail, b""
            self._await(self._final_timeout)
            self._write(tail)

    def _await(self, seconds: float) -> None:
        self._patience = seconds
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._expire)
        elif self._quitting or self._over:
            self._transport.abort()
        elif self._expected:
            self.lose(f"no reply within {self._patience:g} s")
        else:
            self._left = 0
            self._quit()
