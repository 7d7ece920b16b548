"""A counting SMTP receiver in a process of its own, which outlives every sender.

It writes a line for each thing that matters *before* it answers, so that its log is what really
happened: ``took`` (the message is ours, with its Message-ID), ``refused`` (for good) and ``silent``
(the body came, or some of it, and no reply went out on purpose).

``python -m tests.chaos.receiver FOLDER SEED calm|rough DELAY`` prints its port. Once its standard
input ends it reads what is still on its way, and ends when the last connection has.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.chaos.faults import KINDS, REPLIES, Dice

LOG = "receiver.log"
END = b"\r\n.\r\n"
LINGER_S = 0.05
"""From a 421 to the end of the connection, lest a reset overtakes it."""
MESSAGE_ID = re.compile(rb"(?im)^Message-ID:\s*(<[^>]+>)")


class Mailbox:
    """What all connections share.

    Args:
        delay: Seconds before the reply to a message.
    """

    def __init__(self, folder: Path, dice: Dice, delay: float) -> None:
        self.dice = dice
        self.delay = delay
        self.open: set[Connection] = set()
        self.closed = asyncio.Event()
        self._log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, *words: str) -> None:
        """Write a line; it is with the kernel on return."""
        os.write(self._log, (" ".join(words) + "\n").encode())


class Connection(asyncio.Protocol):
    """One client. Nothing further is read while a reply is delayed or withheld."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box
        self._received = b""
        self._recipient = ""
        self._in_body = False
        self._waiting = False
        self._over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._box.open.add(self)
        self._answer("220 chaos", self._box.dice.throw("greeting"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self._box.open.discard(self)
        self._box.closed.set()

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._work()

    def _work(self) -> None:
        while not (self._waiting or self._over):
            separator = END if self._in_body else b"\r\n"
            first, found, rest = self._received.partition(separator)
            if not found:
                return
            self._received = rest
            if self._in_body:
                self._end_of_message(first)
            else:
                self._command(first.decode("ascii"))

    def _command(self, line: str) -> None:
        verb = line[:4]
        if verb == "EHLO":
            self._say("250-chaos\r\n250-PIPELINING\r\n250 8BITMIME")
        elif verb == "RCPT":
            self._on_recipient(line[line.index("<") + 1 : line.index(">")])
        elif verb == "DATA":
            self._on_data()
        elif verb == "QUIT":
            self._say("221 2.0.0 bye")
            self._close()
        else:
            self._recipient = ""
            self._say("250 2.0.0 ok")

    def _on_recipient(self, recipient: str) -> None:
        fault = self._box.dice.throw("rcpt", recipient)
        if self._answer("250 2.1.5 ok", fault, recipient):
            self._recipient = recipient

    def _on_data(self) -> None:
        if not self._recipient:
            self._say("554 5.5.1 no valid recipients")
            return
        fault = self._box.dice.throw("data", self._recipient)
        if not self._answer("354 go ahead", fault, self._recipient):
            return
        self._in_body = True
        if self._box.dice.throw("body", self._recipient):
            self._box.note("silent", self._recipient, "body")
            self._answer("", "drop")

    def _end_of_message(self, message: bytes) -> None:
        self._in_body = False
        fault = self._box.dice.throw("dot", self._recipient)
        if fault.endswith(("drop", "stall")):
            self._box.note("silent", self._recipient, "dot")
        if not fault or fault.startswith("take"):
            found = MESSAGE_ID.search(message)
            self._box.note("took", self._recipient, found[1].decode() if found else "-")
        fault = fault.removeprefix("take and ")
        self._waiting = True
        loop = asyncio.get_running_loop()
        loop.call_later(self._box.delay, self._reply, fault, self._recipient)

    def _reply(self, fault: str, recipient: str) -> None:
        self._waiting = False
        if not self._over:
            self._answer("250 2.0.0 taken", fault, recipient)
            self._work()

    def _answer(self, usual: str, fault: str, recipient: str = "") -> bool:
        """Say the usual, or do what goes wrong; whether it was the usual."""
        if fault == "refuse":
            self._box.note("refused", recipient)
        if fault == "stall":
            self._waiting = True
        elif fault != "drop":
            self._say(REPLIES[fault] if fault else usual)
        if fault == "drop":
            self._close()
        elif fault == "close":
            self._over = True
            asyncio.get_running_loop().call_later(LINGER_S, self._transport.close)
        return not fault

    def _say(self, reply: str) -> None:
        self._transport.write(reply.encode() + b"\r\n")

    def _close(self) -> None:
        self._over = True
        self._transport.close()


async def serve(folder: Path, dice: Dice, delay: float) -> None:
    """Receive until standard input ends and every connection has."""
    loop = asyncio.get_running_loop()
    box = Mailbox(folder, dice, delay)
    server = await loop.create_server(lambda: Connection(box), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    while box.open:
        box.closed.clear()
        await box.closed.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(
        serve(Path(sys.argv[1]), Dice(int(sys.argv[2]), KINDS[sys.argv[3]]), float(sys.argv[4]))
    )
