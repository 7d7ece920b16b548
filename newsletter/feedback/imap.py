"""A mailbox over IMAP (RFC 3501, RFC 9051): read in small batches, and emptied by moving only.

Nothing is ever deleted that does not stand elsewhere: a message is moved (RFC 6851), or copied
and then that one UID expunged (RFC 4315), or, on servers with neither, marked and left.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from newsletter.errors import InputError, RefusedError, UnavailableError
from newsletter.feedback.message import MAX_BYTES
from newsletter.loopback import is_loopback
from newsletter.settings.model import Imap

MARK = "NewsletterTaken"
"""The keyword of messages that were taken in and could not be moved."""
WINDOW = 500
"""Messages whose flags are asked for at once."""
BATCH = 20
"""Messages whose bodies are in memory at once, each at most twice `MAX_BYTES`."""

_UID = re.compile(rb"\bUID (\d+)")
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)")
_SHORT_BODY = re.compile(rb'BODY\[\](?:<0>)? (?:"([^"]*)"|NIL)')


@dataclass(frozen=True, slots=True)
class Fetched:
    """One message: its UID in the folder that is open, and as much of it as is read."""

    uid: int
    raw: bytes


@contextmanager
def open_mailbox(settings: Imap) -> Iterator[ImapMailbox]:
    """Connect, log in and open the folder; logs out at the end.

    Raises:
        RefusedError: The login, or a connection in the clear, is refused; the folder is read-only.
        InputError: A setting is missing or names what is not there.
        UnavailableError: The server cannot be reached, or went away.
    """
    if not settings.host:
        raise InputError("no mailbox is set", fix="set imap.host, see docs/bounces.md")
    tls = _tls(settings)
    with _told(settings):
        connection = _connect(settings, tls)
        try:
            _log_in(connection, settings)
            yield ImapMailbox(connection, settings)
        finally:
            _leave(connection)


class ImapMailbox:
    """The open folder. UIDs are used in the session that gave them and nowhere else."""

    def __init__(self, connection: imaplib.IMAP4, settings: Imap) -> None:
        self._imap = connection
        self._settings = settings
        # What a server offers may change with the login (RFC 9051 section 6.2.2).
        capabilities = connection.capability()[1][-1] or b""
        self._offers = set(capabilities.decode("latin-1").upper().split())
        for folder in (settings.processed, settings.unverified):
            self._require(folder)
        self._messages = self._open(settings.folder)
        self._validity = self._told_validity()

    def batches(self) -> Iterator[list[Fetched]]:
        """Every message that was not taken in yet, the youngest first, a few at a time.

        Downwards, since whatever is moved away meanwhile leaves the numbers below as they are.
        """
        for last in range(self._messages, 0, -WINDOW):
            first = max(1, last - WINDOW + 1)
            uids = self._waiting(first, last)
            for start in range(0, len(uids), BATCH):
                yield self._fetch(uids[start : start + BATCH])

    def file(self, uids: Sequence[int], folder: str) -> bool:
        """Put messages away; gives whether they left the folder that is open.

        Raises:
            UnavailableError: The folder is not the one whose UIDs these are any more, or the
                server does not do it; nothing is lost.
        """
        self._check_validity()
        which = ",".join(map(str, uids))
        if "MOVE" in self._offers:
            self._uid("MOVE", which, _quoted(folder))
        elif "UIDPLUS" in self._offers:
            self._uid("COPY", which, _quoted(folder))
            self._uid("STORE", which, "+FLAGS.SILENT", r"(\Deleted)")
            self._uid("EXPUNGE", which)
        else:
            self._uid("STORE", which, "+FLAGS.SILENT", f"({MARK})")
            return False
        return True

    def _open(self, folder: str) -> int:
        try:
            status, told = self._imap.select(_quoted(folder))
        except imaplib.IMAP4.readonly:
            raise RefusedError(
                f"the folder {folder} is read-only for this user",
                fix="grant the user the right to move mail out of it",
            ) from None
        if status != "OK":
            raise InputError(f"the mailbox has no folder {folder}", fix="mend imap.folder")
        return int(told[0] or 0)

    def _require(self, folder: str) -> None:
        if self._imap.status(_quoted(folder), "(UIDVALIDITY)")[0] != "OK":
            name = "processed" if folder == self._settings.processed else "unverified"
            raise InputError(
                f"the mailbox has no folder {folder}",
                fix=f"create it there, or set imap.{name} to one that is",
            )

    def _waiting(self, first: int, last: int) -> list[int]:
        status, told = self._imap.fetch(f"{first}:{last}", "(UID FLAGS)")
        _insist(status, "FETCH")
        waiting = []
        for line in told:
            found, flags = _search(_UID, line), _search(_FLAGS, line)
            done = {MARK.lower().encode(), rb"\deleted"} & set((flags or b"").lower().split())
            if found and not done:
                waiting.append(int(found))
        return waiting

    def _fetch(self, uids: Sequence[int]) -> list[Fetched]:
        which = ",".join(map(str, uids))
        told = self._uid("FETCH", which, f"(UID BODY.PEEK[]<0.{2 * MAX_BYTES}>)")
        return list(_messages(told))

    def _uid(self, command: str, *arguments: str) -> list[Any]:
        status, told = self._imap.uid(command, *arguments)
        _insist(status, command)
        return list(told)

    def _told_validity(self) -> bytes:
        told: list[Any] = self._imap.untagged_responses.get("UIDVALIDITY", [b""])
        return bytes(told[-1] or b"")

    def _check_validity(self) -> None:
        """A folder that was made anew has other messages under the same UIDs (RFC 9051 2.3.1.1)."""
        self._imap.noop()
        if self._told_validity() != self._validity:
            raise UnavailableError(
                f"the folder {self._settings.folder} was replaced while it was read",
                fix="run it again: what was taken in is known and changes nothing",
            )


def _messages(told: Sequence[Any]) -> Iterator[Fetched]:
    """A server may name the UID before or after the body, and a short body as a string."""
    for number, item in enumerate(told):
        if isinstance(item, tuple):
            after = told[number + 1] if number + 1 < len(told) else b""
            rest = after if isinstance(after, bytes) else b""
            if uid := _UID.search(item[0]) or _UID.search(rest):
                yield Fetched(int(uid[1]), item[1])
            continue
        body, uid = _SHORT_BODY.search(item or b""), _UID.search(item or b"")
        if body and uid:
            yield Fetched(int(uid[1]), body[1] or b"")


def _search(pattern: re.Pattern[bytes], line: Any) -> bytes | None:
    found = pattern.search(line) if isinstance(line, bytes) else None
    return found[1] if found else None


def _insist(status: str, command: str) -> None:
    if status != "OK":
        raise UnavailableError(
            f"the mailbox refuses {command}", fix="run it again; nothing was lost"
        )


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _tls(settings: Imap) -> ssl.SSLContext | None:
    if settings.security == "none":
        if is_loopback(settings.host):
            return None
        raise RefusedError(
            f"the password and mail of {settings.host} would go over the network in the clear",
            fix='set imap.security to "tls" or "starttls"',
        )
    context = ssl.create_default_context()
    if settings.ca_file:
        try:
            context.load_verify_locations(cafile=Path(settings.ca_file))
        except OSError as error:
            raise InputError(
                f"imap.ca_file is no readable PEM file: {error.strerror or error}",
                file=settings.ca_file,
            ) from None
    return context


def _connect(settings: Imap, tls: ssl.SSLContext | None) -> imaplib.IMAP4:
    host, timeout = settings.host.strip("[]"), settings.timeout
    if settings.security == "tls":
        return imaplib.IMAP4_SSL(host, settings.port, ssl_context=tls, timeout=timeout)
    connection = imaplib.IMAP4(host, settings.port, timeout=timeout)
    if tls is not None:
        try:
            _encrypt(connection, settings, tls)
        except BaseException:
            _close(connection)
            raise
    return connection


def _encrypt(connection: imaplib.IMAP4, settings: Imap, tls: ssl.SSLContext) -> None:
    if "STARTTLS" not in connection.capabilities:
        raise UnavailableError(
            f"{settings.host} offers no STARTTLS on port {settings.port}",
            fix='check imap.port and imap.security ("tls" is usual on 993, "starttls" on 143)',
        )
    connection.starttls(tls)


def _log_in(connection: imaplib.IMAP4, settings: Imap) -> None:
    user, password = settings.username, settings.password.get_secret_value()
    try:
        if "AUTH=PLAIN" in connection.capabilities:
            connection.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
        else:
            connection.login(_quoted(user), password)
    except imaplib.IMAP4.abort:
        raise
    except (imaplib.IMAP4.error, UnicodeEncodeError):
        # The server's words may repeat the name or the password.
        raise RefusedError(
            f"{settings.host} refuses the login",
            fix="check imap.username and NEWSLETTER_IMAP__PASSWORD",
        ) from None


def _leave(connection: imaplib.IMAP4) -> None:
    try:
        connection.logout()
    except (imaplib.IMAP4.error, OSError):
        _close(connection)


def _close(connection: imaplib.IMAP4) -> None:
    with suppress(OSError):
        connection.shutdown()


@contextmanager
def _told(settings: Imap) -> Iterator[None]:
    """What goes wrong on the way, in the words of this program."""
    place = f"the mailbox at {settings.host}:{settings.port}"
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise UnavailableError(
            f"the certificate of {place} is not trusted: {error.verify_message}",
            fix="set imap.host to the name in the certificate, or imap.ca_file to its authority",
        ) from None
    except TimeoutError:
        raise UnavailableError(
            f"{place} does not answer", fix="check imap.host and imap.port, or raise imap.timeout"
        ) from None
    except ssl.SSLError as error:
        raise UnavailableError(
            f"no encrypted connection to {place}: {error.reason or 'TLS failed'}",
            fix='check imap.port and imap.security ("tls" is usual on 993, "starttls" on 143)',
        ) from None
    except (imaplib.IMAP4.abort, EOFError):
        raise UnavailableError(
            f"{place} closed the connection",
            fix="run it again: what was taken in is known and changes nothing",
        ) from None
    except imaplib.IMAP4.error:
        raise UnavailableError(
            f"{place} does not speak IMAP as expected",
            fix="run it again; if that does not help, check imap.port and imap.security",
        ) from None
    except OSError as error:
        raise UnavailableError(
            f"{place} cannot be reached: {error.strerror or error}",
            fix="check imap.host and imap.port",
        ) from None
