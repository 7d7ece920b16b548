"""Reads SMTP replies and writes envelopes, without opening a socket."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import idna

from newsletter.delivery.model import Message
from newsletter.smtp_replies.classify import enhanced_status

MAX_LINE = 1024
"""Octets of a reply line without CRLF; RFC 5321 section 4.5.3.1.5 allows 510."""
MAX_LINES = 128
"""Most lines of one reply; the longest in practice, to EHLO, has about twenty."""
USUAL = 32
"""Most reply lines a parser remembers: a server sends the same few over and over."""
MAX_DATA_LINE = 998
"""Octets of a line of a message without CRLF (RFC 5321 section 4.5.3.1.6)."""

_REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])([^\r\n\x00]*))?")
_PART = r"[^\x00-\x20\x7f<>@\ud800-\udfff]"
_PATH = re.compile(rf"{_PART}{{1,64}}@{_PART}{{1,253}}")


class Reply(NamedTuple):
    """One reply: its code and the text of its lines, joined by newlines."""

    code: int
    text: str

    @property
    def status(self) -> str:
        """The enhanced status code, or an empty string."""
        return enhanced_status(self.text)

    @property
    def good(self) -> bool:
        """Whether the command was carried out."""
        return 200 <= self.code < 300


class ReplyParser:
    """Reads replies from bytes, however they are split.

    ``error`` says why the other side is not an SMTP server; nothing is read after that.
    """

    def __init__(self) -> None:
        self.error = ""
        self._rest = b""
        self._code = b""
        self._texts: list[str] = []
        self._usual: dict[bytes, Reply] = {}

    @property
    def midway(self) -> bool:
        """Whether part of a further reply has been read."""
        return bool(self._rest or self._texts)

    def feed(self, data: bytes) -> list[Reply]:
        """Add bytes, and return the replies that are complete now."""
        replies: list[Reply] = []
        if self.error:
            return replies
        # By CRLF only: a client that also takes a bare LF can be made to see replies that the
        # server never sent.
        lines = (self._rest + data).split(b"\r\n")
        self._rest = lines.pop()
        for line in lines:
            reply = None if self._texts else self._usual.get(line)
            reply = reply or self._line(line)
            if reply:
                replies.append(reply)
            elif self.error:
                return replies
        if len(self._rest) > MAX_LINE + 1:
            self.error = "a reply line is too long"
        return replies

    def _line(self, line: bytes) -> Reply | None:
        parts = _REPLY_LINE.fullmatch(line)
        if not parts or len(line) > MAX_LINE:
            self.error = "a reply line is too long" if parts else "a reply is not SMTP"
            return None
        code, more, text = parts.groups(b"")
        if self._texts and code != self._code:
            self.error = "the lines of a reply have different codes"
            return None
        self._code = code
        self._texts.append(text.decode("utf-8", "replace"))
        if more == b"-":
            if len(self._texts) >= MAX_LINES:
                self.error = "a reply has too many lines"
            return None
        reply = Reply(int(code), "\n".join(self._texts))
        if len(self._texts) == 1 and len(self._usual) < USUAL:
            self._usual[line] = reply
        self._texts.clear()
        return reply


class Capabilities:
    """The extensions in a server's reply to EHLO (RFC 5321 section 4.1.1.1)."""

    def __init__(self, ehlo: Reply) -> None:
        words = [line.upper().split() for line in ehlo.text.split("\n")[1:]]
        self._extensions: Mapping[str, list[str]] = {line[0]: line[1:] for line in words if line}
        self.pipelining = "PIPELINING" in self
        self.smtputf8 = "SMTPUTF8" in self
        # A malformed size counts as none: the server itself refuses what is too large.
        size = self._extensions.get("SIZE", [])
        self.size = int(size[0]) if size and size[0].isascii() and size[0].isdecimal() else 0
        """The largest message in octets; 0 if there is no fixed limit (RFC 1870)."""
        self.logins = frozenset(self._extensions.get("AUTH", ()))

    def __contains__(self, extension: str) -> bool:
        return extension in self._extensions


class CannotCarryError(Exception):
    """This connection cannot carry the message; ``reply`` is what a server would say."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.reply = Reply(code, text)


class Envelope(NamedTuple):
    """The three commands before a message's body."""

    mail: bytes
    rcpt: bytes
    data: bytes = b"DATA\r\n"


def envelope(message: Message, server: Capabilities) -> Envelope:
    """Write the commands that announce a message.

    Raises:
        CannotCarryError: An address is invalid or needs SMTPUTF8 (RFC 6531), which the server
            lacks, or the message is larger than the server accepts (RFC 1870).
    """
    size = len(message.data)
    if server.size and size > server.size:
        raise CannotCarryError(552, f"5.3.4 {size} octets: the server accepts {server.size}")
    sender = _path(message.mail_from, server) if message.mail_from else b""
    recipient = _path(message.rcpt_to, server)
    options = b""
    if "SIZE" in server:
        options += b" SIZE=%d" % size
    if not (sender.isascii() and recipient.isascii()):
        options += b" SMTPUTF8"
    return Envelope(b"MAIL FROM:<%b>%b\r\n" % (sender, options), b"RCPT TO:<%b>\r\n" % recipient)


def _path(address: str, server: Capabilities) -> bytes:
    # Above all without ">" or CRLF, which would end the command and begin another one.
    if not _PATH.fullmatch(address):
        raise CannotCarryError(553, "5.1.3 not a mail address")
    if address.isascii():
        return address.encode()
    local, _, domain = address.partition("@")
    try:
        host = domain.encode() if domain.isascii() else idna.encode(domain, uts46=True)
    except idna.IDNAError:
        raise CannotCarryError(553, "5.1.3 not a domain name") from None
    if not local.isascii() and not server.smtputf8:
        raise CannotCarryError(
            553, "5.6.7 the address needs SMTPUTF8, which the server does not offer"
        )
    return local.encode() + b"@" + host


def fault_in(data: bytes) -> str:
    """Return why a message must not be sent as it is, or an empty string."""
    if not data.endswith(b"\r\n"):
        return "it does not end in CRLF"
    if not data.isascii() or b"\0" in data:
        return "it is not 7 bit text"
    lines = data.split(b"\r\n")
    # RFC 5321 sections 2.3.8 and 4.5.2: a server may take a bare CR or LF for a line's end, and a
    # dot at the start of a line for the message's.
    if any(b"\r" in line or b"\n" in line for line in lines):
        return "it has a bare CR or LF"
    if any(line.startswith(b".") for line in lines):
        return "a line begins with a dot"
    if max(map(len, lines)) > MAX_DATA_LINE:
        return f"a line is longer than {MAX_DATA_LINE} octets"
    return ""
