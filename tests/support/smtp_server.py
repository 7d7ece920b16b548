"""A real SMTP server that can be told to misbehave, and remembers everything it received."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import ipaddress
import re
import ssl
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

MESSAGE_ID = re.compile(rb"(?im)^Message-ID:\s*(<[^>]+>)")


@dataclass
class Fault:
    """Misbehavior at one step, whenever it is due.

    ``at`` is connect, ehlo, starttls, auth, mail, rcpt, data, body, dot, rset or quit. ``reply``
    is sent instead of the usual reply; a 421 closes the connection. ``drop`` closes it without
    a reply: "before" the step is carried out, or "after" it was (a dot: the message is kept).
    """

    at: str
    reply: str = ""
    drop: str = ""
    to: str = ""
    every: int = 1
    times: int = sys.maxsize
    after_bytes: int = 0
    delay: float = 0.0
    seen: int = 0

    def due(self, at: str, recipient: str) -> bool:
        """Whether the fault is due now."""
        if at != self.at or self.to not in recipient:
            return False
        self.seen += 1
        if self.seen % self.every or self.times <= 0:
            return False
        self.times -= 1
        return True


@dataclass(frozen=True)
class Received:
    """One accepted message."""

    mail_from: str
    rcpt_to: list[str]
    data: bytes
    connection: int

    @property
    def message_id(self) -> str:
        """The Message-ID, or an empty string."""
        found = MESSAGE_ID.search(self.data)
        return found[1].decode() if found else ""


class DroppedError(Exception):
    """The script ends this connection here."""


@dataclass
class Server:
    """`async with Server(...) as server`, then talk to `server.port` on 127.0.0.1."""

    faults: Sequence[Fault] = ()
    pipelining: bool = True
    size: int = 0
    smtputf8: bool = False
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    login: tuple[str, str] | None = None
    mechanisms: str = "PLAIN LOGIN"
    messages_per_connection: int = sys.maxsize
    trickle: bool = False
    careless: bool = False
    """Answers 354 without an accepted recipient, and accepts the empty message that follows."""

    port: int = 0
    connections: int = 0
    received: list[Received] = field(default_factory=list)
    empty: int = 0
    commands: list[tuple[int, str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(
            self._visit,
            "127.0.0.1",
            self.port,
            limit=2**20,
            ssl=self.tls if self.implicit_tls else None,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def visits(self) -> int:
        """Connections that are open, or whose last bytes are still being read."""
        return len(self._tasks)

    @property
    def copies(self) -> Counter[str]:
        """How often each Message-ID was accepted."""
        return Counter(message.message_id for message in self.received)

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.connections += 1
        try:
            await Visit(self, reader, writer, self.connections).run()
        except (DroppedError, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()


class Visit:
    """One connection, step by step."""

    def __init__(
        self,
        server: Server,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        number: int,
    ) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.number = number
        self.secured = server.implicit_tls
        self.messages = 0
        self.forget()

    def forget(self) -> None:
        self.mail_from: str | None = None
        self.rcpt_to: list[str] = []
        self.asked = ""

    async def run(self) -> None:
        await self.answer("connect", "220 test ready")
        while True:
            line = await self.line()
            word, _, rest = line.decode("utf-8", "surrogateescape").partition(" ")
            verb = word.upper()
            self.server.commands.append((self.number, verb))
            if verb not in ("MAIL", "RCPT", "RSET") or not self.server.pipelining:
                self.nothing_more(verb)
            step = getattr(self, f"on_{verb.lower()}", None)
            if not step:
                self.server.violations.append(f"unknown command {verb}")
                await self.say("502 5.5.1 unknown")
            elif await step(rest):
                return

    async def on_ehlo(self, rest: str) -> None:
        server = self.server
        lines = ["test"]
        lines += ["PIPELINING"] * server.pipelining + ["SMTPUTF8"] * server.smtputf8
        lines += [f"SIZE {server.size}"] * bool(server.size)
        lines += ["STARTTLS"] * bool(server.tls and not self.secured)
        lines += [f"AUTH {server.mechanisms}"] * bool(server.login)
        text = "\r\n".join(f"250-{line}" for line in lines) + "\r\n250 8BITMIME"
        await self.answer("ehlo", text)

    async def on_starttls(self, rest: str) -> None:
        assert self.server.tls
        if await self.answer("starttls", "220 2.0.0 go ahead"):
            await self.writer.start_tls(self.server.tls, ssl_handshake_timeout=30.0)
            self.secured = True

    async def on_auth(self, rest: str) -> None:
        mechanism, _, initial = rest.partition(" ")
        if mechanism == "PLAIN":
            _, user, password = base64.b64decode(initial).decode().split("\0")
        else:
            user, password = [await self.ask(prompt) for prompt in ("Username:", "Password:")]
        self.server.logins.append(mechanism)
        good = (user, password) == self.server.login
        await self.answer("auth", "235 2.7.0 welcome" if good else "535 5.7.8 wrong password")

    async def ask(self, prompt: str) -> str:
        await self.say("334 " + base64.b64encode(prompt.encode()).decode())
        return base64.b64decode(await self.line()).decode()

    async def on_mail(self, rest: str) -> None:
        if self.messages >= self.server.messages_per_connection:
            await self.say("421 4.7.0 enough for one connection")
            raise DroppedError
        if self.mail_from is not None:
            self.server.violations.append("MAIL inside a transaction")
        self.options = rest.partition(">")[2].split()
        if await self.answer("mail", "250 2.1.0 ok"):
            self.mail_from = rest[rest.index("<") + 1 : rest.index(">")]

    async def on_rcpt(self, rest: str) -> None:
        self.asked = rest[rest.index("<") + 1 : rest.index(">")]
        if self.mail_from is None:
            await self.say("503 5.5.1 MAIL first")
        elif await self.answer("rcpt", "250 2.1.5 ok"):
            self.rcpt_to.append(self.asked)

    async def on_data(self, rest: str) -> None:
        if not self.rcpt_to and not self.server.careless:
            await self.say("554 5.5.1 no valid recipients")
        elif await self.answer("data", "354 go ahead"):
            data = await self.body()
            await self.dot(data)

    async def body(self) -> bytes:
        lines: list[bytes] = []
        due = next((f for f in self.server.faults if f.due("body", self.asked)), None)
        size = 0
        while (line := await self.reader.readuntil(b"\n")) != b".\r\n":
            if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
                self.server.violations.append("a bare LF or CR in a body")
            if len(line) > 1000:
                self.server.violations.append("a line over 998 octets")
            if line.startswith(b".") and not line.startswith(b".."):
                self.server.violations.append("a dot that is not stuffed")
            lines.append(line)
            size += len(line)
            if due and size >= due.after_bytes:
                if due.reply:
                    await self.say(due.reply)
                raise DroppedError
        return b"".join(lines)

    async def dot(self, data: bytes) -> None:
        empty = not data
        self.server.empty += empty
        keep = Received(self.mail_from or "", list(self.rcpt_to), data, self.number)
        self.messages += 1
        fault = self.fault("dot")
        if fault and fault.drop == "before":
            raise DroppedError
        good = not fault or not fault.reply or fault.reply.startswith("2")
        if good and not empty:
            self.server.received.append(keep)
        await self.carry_out(fault, "250 2.0.0 queued")
        self.forget()

    async def on_rset(self, rest: str) -> None:
        await self.answer("rset", "250 2.0.0 ok")
        self.forget()

    async def on_quit(self, rest: str) -> bool:
        await self.answer("quit", "221 2.0.0 bye")
        return True

    def fault(self, at: str) -> Fault | None:
        return next((f for f in self.server.faults if f.due(at, self.asked)), None)

    async def answer(self, at: str, usual: str) -> bool:
        """Send the usual reply, or the scripted one; returns False if the step was refused."""
        fault = self.fault(at)
        if fault and fault.drop == "before":
            raise DroppedError
        return await self.carry_out(fault, usual)

    async def carry_out(self, fault: Fault | None, usual: str) -> bool:
        if fault and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault and fault.drop:
            raise DroppedError
        reply = (fault and fault.reply) or usual
        await self.say(reply)
        if reply.startswith("421"):
            raise DroppedError
        return reply[0] in "23"

    async def say(self, reply: str) -> None:
        wire = reply.encode("utf-8", "surrogateescape") + b"\r\n"
        if not self.server.trickle:
            self.writer.write(wire)
        else:
            for one in wire:
                self.writer.write(bytes([one]))
                await asyncio.sleep(0)
        await self.writer.drain()

    async def line(self) -> bytes:
        line = await self.reader.readuntil(b"\n")
        if not line.endswith(b"\r\n") or b"\r" in line[:-2] or len(line) > 1000:
            self.server.violations.append("a command line that RFC 5321 does not allow")
        return line.rstrip(b"\r\n")

    def nothing_more(self, verb: str) -> None:
        if self.reader._buffer:  # type: ignore[attr-defined]
            self.server.violations.append(f"something was sent before the answer to {verb}")


def certificate(
    folder: Path, lasts: dt.timedelta = dt.timedelta(hours=1)
) -> tuple[ssl.SSLContext, Path]:
    """Make a self-signed certificate for 127.0.0.1: the server's context and the PEM to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + lasts)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = folder / "server.key"
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem, secret)
    return context, pem
