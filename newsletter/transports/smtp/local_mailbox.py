"""A mailbox on this machine: receives mail over SMTP and keeps each message as a file.

`demo` and tests use it to send for real without a mail server. It listens on loopback only, has no
users, and refuses nothing but invalid SMTP.
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

    Messages are numbered files, `000001.eml`, each starting with its envelope: `Return-Path` and
    `Delivered-To` (RFC 5321 section 4.4). A file appears complete or not at all.

    Args:
        folder: Where messages are kept; created if missing, never emptied.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None
        self._visits: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> int:
        """Listen, on any free port by default, and return the port.

        Raises:
            OSError: The port is taken, or the folder cannot be created.
        """

        async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task:
                self._visits.add(task)
                task.add_done_callback(self._visits.discard)
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await _SmtpVisit(self, reader, writer).run()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

        self.folder.mkdir(parents=True, exist_ok=True)
        kept = [int(path.stem) for path in self.folder.glob("*.eml") if path.stem.isdecimal()]
        self._numbers = itertools.count(max(kept, default=0) + 1)
        # The limit is of what is buffered; `_line` judges the length of lines.
        self._server = await asyncio.start_server(visit, "127.0.0.1", port, limit=64 * MAX_LINE)
        address: tuple[str, int] = self._server.sockets[0].getsockname()
        return address[1]

    async def close(self) -> None:
        """Stop listening, and end the connections."""
        if self._server:
            self._server.close()
            await self._server.wait_closed()
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    def keep(self, mail_from: str, rcpt_to: list[str], data: bytes) -> Path:
        """Store one message and return its file."""
        path = self.folder / f"{next(self._numbers):06d}.eml"
        heads = [f"Return-Path: <{mail_from}>", *(f"Delivered-To: {each}" for each in rcpt_to)]
        part = path.with_suffix(".part")
        part.write_bytes("".join(f"{head}\r\n" for head in heads).encode() + data)
        part.rename(path)
        return path


class _SmtpVisit:
    """One connection: a command and a reply, until QUIT."""

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
            if command.upper() == "QUIT":
                self._say("221 2.0.0 goodbye")
                await self._writer.drain()
                return
            if command.upper() != "DATA":
                self._say(self._reply(command.upper(), rest))
                continue
            if self._mail_from is None or not self._rcpt_to:
                self._say("503 5.5.1 MAIL and RCPT first")
                continue
            self._say("354 end with a dot on a line of its own")
            await self._writer.drain()
            lines: list[bytes] = []
            size = 0
            while (line := await self._line()) != b".\r\n":
                size += len(line or b"")
                # The rest of it would be read as commands, so the connection ends here.
                if line is None or size > MAX_MESSAGE:
                    self._say(
                        "554 5.6.0 the message is too long, or a line of it, or has a bare LF"
                    )
                    return
                # RFC 5321 section 4.5.2: the client doubled a leading dot.
                lines.append(line[1:] if line.startswith(b".") else line)
            path = self._mailbox.keep(self._mail_from, self._rcpt_to, b"".join(lines))
            self._forget()
            self._say(f"250 2.0.0 kept as {path.name}")

    def _reply(self, command: str, rest: str) -> str:
        match command:
            case "EHLO" | "HELO":
                self._forget()
                lines = ["localhost", *(CAPABILITIES if command == "EHLO" else ())]
                reply = "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])
            case "MAIL" if self._mail_from is not None:
                reply = "503 5.5.1 a message is under way"
            case "MAIL":
                self._mail_from = _path(rest, "FROM")
                # Not falsy: bounces have an empty path.
                invalid = self._mail_from is None
                reply = "501 5.5.4 MAIL FROM:<address>" if invalid else "250 2.1.0 ok"
            case "RCPT" if self._mail_from is None:
                reply = "503 5.5.1 MAIL first"
            case "RCPT":
                path = _path(rest, "TO")
                self._rcpt_to += [path] if path else []
                reply = "250 2.1.5 ok" if path else "501 5.5.4 RCPT TO:<address>"
            case "RSET":
                self._forget()
                reply = "250 2.0.0 done"
            case "NOOP":
                reply = "250 2.0.0 done"
            case _:
                reply = "502 5.5.1 unknown command"
        return reply

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

    def _say(self, reply: str) -> None:
        self._writer.write(f"{reply}\r\n".encode())


def _path(rest: str, keyword: str) -> str | None:
    """The address in `FROM:<address> SIZE=1`; or None."""
    word, _, path = rest.partition(":")
    path = path.strip()
    if word.strip().upper() != keyword or not path.startswith("<") or ">" not in path:
        return None
    return path[1 : path.index(">")]
