"""A mailbox on this machine: takes mail over SMTP and keeps each message as a file.

It lets the whole way of a message be walked without a mail server. It listens on loopback only,
knows no users, and refuses nothing but what is not SMTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from pathlib import Path

MAX_LINE = 1000
"""Octets of a line with CRLF (RFC 5321 section 4.5.3.1.6)."""
MAX_MESSAGE = 32 * 1024 * 1024
CAPABILITIES = ("PIPELINING", f"SIZE {MAX_MESSAGE}", "8BITMIME", "SMTPUTF8")


class LocalMailbox:
    """A minimal RFC 5321 server on 127.0.0.1.

    Messages are numbered files, `000001.eml`, each headed by `Return-Path` and `Delivered-To`
    (RFC 5321 section 4.4): the envelope it came in. A file appears whole or not at all.

    Args:
        folder: Where the messages are kept; made if missing, never emptied.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None
        self._visits: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> int:
        """Listen, and give the port: any free one unless told.

        Raises:
            OSError: The port is taken, or the folder cannot be made.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = [int(path.stem) for path in self.folder.glob("*.eml") if path.stem.isdecimal()]
        self._numbers = itertools.count(max(kept, default=0) + 1)
        self._server = await asyncio.start_server(
            self._visit, "127.0.0.1", port, limit=64 * MAX_LINE
        )
        address: tuple[str, int] = self._server.sockets[0].getsockname()
        return address[1]

    async def close(self) -> None:
        """Stop listening, and end what is under way."""
        if self._server:
            self._server.close()
            await self._server.wait_closed()
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    def keep(self, mail_from: str, rcpt_to: list[str], data: bytes) -> Path:
        """Store one message and give its file."""
        path = self.folder / f"{next(self._numbers):06d}.eml"
        heads = [f"Return-Path: <{mail_from}>", *(f"Delivered-To: {one}" for one in rcpt_to)]
        part = path.with_suffix(".part")
        part.write_bytes("".join(f"{head}\r\n" for head in heads).encode() + data)
        part.rename(path)
        return path

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task:
            self._visits.add(task)
            task.add_done_callback(self._visits.discard)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await _SmtpVisit(self, reader, writer).run()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


class _SmtpVisit:
    """One connection: a command, an answer, until QUIT."""

    def __init__(
        self, mailbox: LocalMailbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._mailbox = mailbox
        self._reader = reader
        self._writer = writer
        self._mail_from: str | None = None
        self._rcpt_to: list[str] = []

    async def run(self) -> None:
        self._say("220 localhost mailbox ready")
        while True:
            await self._writer.drain()
            line = await self._line()
            if line is None:
                self._say("500 5.5.2 lines end in CRLF and are no longer than 1000 octets")
                return
            command, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            match command.upper():
                case "EHLO" | "HELO" as hello:
                    self._greet(hello)
                case "MAIL":
                    self._mail(rest)
                case "RCPT":
                    self._rcpt(rest)
                case "DATA":
                    if not await self._data():
                        return
                case "RSET" | "NOOP" as aside:
                    self._forget() if aside == "RSET" else None
                    self._say("250 2.0.0 done")
                case "QUIT":
                    self._say("221 2.0.0 goodbye")
                    await self._writer.drain()
                    return
                case _:
                    self._say("502 5.5.1 unknown command")

    def _greet(self, hello: str) -> None:
        self._forget()
        lines = ["localhost", *(CAPABILITIES if hello == "EHLO" else ())]
        for line in lines[:-1]:
            self._say(f"250-{line}")
        self._say(f"250 {lines[-1]}")

    def _mail(self, rest: str) -> None:
        if self._mail_from is not None:
            self._say("503 5.5.1 a message is under way")
        elif (path := _path(rest, "FROM")) is None:
            self._say("501 5.5.4 MAIL FROM:<address>")
        else:
            self._mail_from = path
            self._say("250 2.1.0 ok")

    def _rcpt(self, rest: str) -> None:
        path = _path(rest, "TO")
        if self._mail_from is None:
            self._say("503 5.5.1 MAIL first")
        elif not path:
            self._say("501 5.5.4 RCPT TO:<address>")
        else:
            self._rcpt_to.append(path)
            self._say("250 2.1.5 ok")

    async def _data(self) -> bool:
        """Take in a message; False ends the connection."""
        if self._mail_from is None or not self._rcpt_to:
            self._say("503 5.5.1 MAIL and RCPT first")
            return True
        self._say("354 end with a dot on a line of its own")
        await self._writer.drain()
        lines: list[bytes] = []
        size = 0
        while (line := await self._line()) != b".\r\n":
            size += len(line or b"")
            if line is None or size > MAX_MESSAGE:
                self._say("554 5.6.0 the message is too long, or a line of it, or has a bare LF")
                return False
            lines.append(line[1:] if line.startswith(b".") else line)
        path = self._mailbox.keep(self._mail_from, self._rcpt_to, b"".join(lines))
        self._forget()
        self._say(f"250 2.0.0 kept as {path.name}")
        return True

    async def _line(self) -> bytes | None:
        """Read one line with its CRLF; None if it is too long or has a bare CR or LF."""
        try:
            line = await self._reader.readuntil(b"\r\n")
        except asyncio.LimitOverrunError:
            return None
        bare = b"\r" in line[:-2] or b"\n" in line[:-2]
        return None if bare or len(line) > MAX_LINE else line

    def _forget(self) -> None:
        self._mail_from = None
        self._rcpt_to = []

    def _say(self, line: str) -> None:
        self._writer.write(f"{line}\r\n".encode())


def _path(rest: str, keyword: str) -> str | None:
    """Take the address out of `FROM:<address> SIZE=1`; None if there is none."""
    word, _, path = rest.partition(":")
    path = path.strip()
    if word.strip().upper() != keyword or not path.startswith("<") or ">" not in path:
        return None
    return path[1 : path.index(">")]
