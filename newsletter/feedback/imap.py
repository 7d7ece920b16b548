"""A mailbox over IMAP (RFC 3501, RFC 9051), read in small batches and emptied only by moving.

IMAPClient speaks the protocol. This module decides what to ask for, and turns each failure into
what happened and what to do.
"""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imapclient import DELETED, IMAPClient
from imapclient.exceptions import (
    IMAPClientAbortError,
    IMAPClientError,
    IMAPClientReadOnlyError,
    LoginError,
    ProtocolError,
)

from newsletter.errors import InputError, NewsletterError, RefusedError, UnavailableError
from newsletter.feedback.message import MAX_BYTES
from newsletter.loopback import is_loopback
from newsletter.settings.model import Imap

# IMAPClient warns in the server's own words, which may repeat a name or a password, and its debug
# log quotes whole messages.
logging.getLogger("imapclient").setLevel(logging.CRITICAL)

MARK = "NewsletterTaken"
"""The keyword of messages that were processed and could not be moved."""
WINDOW = 80
"""Messages that one SEARCH covers: their UIDs fit into 1,000 octets (RFC 2683, 3.2.1.5)."""
BATCH = 20
"""Messages whose bodies are in memory at once, each at most twice `MAX_BYTES`."""

_UIDVALIDITY = re.compile(rb"\[UIDVALIDITY (\d+)\]")
_RUN_AGAIN = "run it again: messages already processed are recognized and change nothing"
_CHECK_TLS = 'check imap.port and imap.security ("tls" is usual on 993, "starttls" on 143)'


@dataclass(frozen=True, slots=True)
class FetchedMessage:
    """One message: its UID in the open folder, and as much of it as is read."""

    uid: int
    raw: bytes


@contextmanager
def open_mailbox(settings: Imap) -> Iterator[ImapMailbox]:
    """Connect, log in and open the folder; log out at the end.

    Raises:
        RefusedError: The login, or a connection in the clear, is refused; the folder is read-only.
        InputError: A setting is missing or names something that does not exist.
        UnavailableError: The server cannot be reached, or went away.
    """
    if not settings.host:
        raise InputError("no mailbox is set", fix="set imap.host, see docs/bounces.md")
    tls = None
    if settings.security != "none":
        tls = ssl.create_default_context()
        try:
            if settings.ca_file:
                tls.load_verify_locations(cafile=Path(settings.ca_file))
        except OSError as error:
            raise InputError(
                f"imap.ca_file is not a readable PEM file: {error.strerror or error}",
                file=settings.ca_file,
            ) from None
    elif not is_loopback(settings.host):
        raise RefusedError(
            f"the password and mail of {settings.host} would go over the network in the clear",
            fix='set imap.security to "tls" or "starttls"',
        )
    with _explained(settings, "the connection"):
        client = IMAPClient(
            settings.host.strip("[]"),
            settings.port,
            ssl=settings.security == "tls",
            ssl_context=tls,
            timeout=settings.timeout,
        )
    # Leaving this block logs out, or hangs up where the server no longer answers.
    with client:
        with _explained(settings, "the connection"):
            if settings.security == "starttls":
                if not client.has_capability("STARTTLS"):
                    raise UnavailableError(
                        f"{settings.host} offers no STARTTLS on port {settings.port}",
                        fix=_CHECK_TLS,
                    )
                client.starttls(tls)
            _log_in(client, settings)
            mailbox = ImapMailbox(client, settings)
        yield mailbox


def _log_in(client: IMAPClient, settings: Imap) -> None:
    user, password = settings.username, settings.password.get_secret_value()
    try:
        if client.has_capability("AUTH=PLAIN"):
            client.plain_login(user, password)
        else:
            # imaplib quotes the password, but not the name.
            client.login('"' + re.sub(r'(["\\])', r"\\\1", user) + '"', password)
    except (LoginError, UnicodeEncodeError) as error:
        # IMAPClient calls a connection that broke during the login a LoginError, too.
        if isinstance(error.__context__, IMAPClientAbortError):
            raise error.__context__ from None
        # Without the server's words: they may repeat the name or the password.
        raise RefusedError(
            f"{settings.host} refuses the login",
            fix="check imap.username and NEWSLETTER_IMAP__PASSWORD",
        ) from None


class ImapMailbox:
    """The open folder. UIDs are used only in the session that gave them."""

    def __init__(self, client: IMAPClient, settings: Imap) -> None:
        self._client = client
        self._settings = settings
        # The settings name folders as the server lists them, already in modified UTF-7.
        client.folder_encode = False
        for setting in ("processed", "unverified"):
            with _existing(settings, setting) as folder:
                client.folder_status(folder, ["UIDVALIDITY"])
        with _existing(settings, "folder") as folder:
            opened = client.select_folder(folder)
        self._messages = int(opened.get(b"EXISTS", 0))
        self._validity = opened.get(b"UIDVALIDITY")
        # Asked for after the login, which may change what a server offers (RFC 9051, 6.2.2).
        self._moves = client.has_capability("MOVE")
        self._expunges_by_uid = client.has_capability("UIDPLUS")

    def batches(self) -> Iterator[list[FetchedMessage]]:
        """Every message that was not processed yet, the newest first, a few at a time."""
        # Downward, since moving messages away leaves the numbers of those below as they are.
        for last in range(self._messages, 0, -WINDOW):
            first = max(1, last - WINDOW + 1)
            with _explained(self._settings, "FETCH"):
                # By number, since UIDs may be far apart. Not by UID SEARCH 1:80, which some servers
                # read as UIDs.
                self._client.use_uid = False
                numbered = self._client.fetch(range(first, last + 1), ["UID"])
                self._client.use_uid = True
                # Other sessions may have removed messages, or changed their flags meanwhile.
                uids = [items[b"UID"] for items in numbered.values() if b"UID" in items]
            if not uids:
                continue
            with _explained(self._settings, "SEARCH"):
                # Not by the flags where that can be avoided: IMAPClient cannot parse every flag
                # that is allowed, such as `a[b`.
                uids = self._client.search(f"UID {','.join(map(str, uids))} UNDELETED")
                if uids and not (self._moves or self._expunges_by_uid):
                    # Not by UNKEYWORD: Exchange and Kerio answer BAD to keywords they do not know.
                    marked = {
                        uid
                        for uid, flags in self._client.get_flags(uids).items()
                        for flag in flags
                        # IMAPClient returns a flag that consists of digits as a number.
                        if isinstance(flag, bytes) and flag.lower() == MARK.lower().encode()
                    }
                    uids = [uid for uid in uids if uid not in marked]
            for start in range(0, len(uids), BATCH):
                with _explained(self._settings, "FETCH"):
                    part = f"BODY.PEEK[]<0.{2 * MAX_BYTES}>"
                    found = self._client.fetch(uids[start : start + BATCH], [part])
                    # An empty body may be NIL; a message that another session removed is missing.
                    batch = [
                        FetchedMessage(uid, body or b"")
                        for uid, items in found.items()
                        for name, body in items.items()
                        if name.startswith(b"BODY[]")
                    ]
                yield batch

    def file(self, uids: Sequence[int], folder: str) -> bool:
        """Move messages to a folder.

        Returns:
            Whether they left the open folder: where a server can neither move (RFC 6851) nor
            expunge single messages (RFC 4315), they are marked and stay.

        Raises:
            UnavailableError: The open folder was replaced, so that the UIDs may be those of other
                messages, or the server refused; nothing is lost.
        """
        with _explained(self._settings, "NOOP"):
            for line in self._client.noop()[1]:
                # A folder deleted and created again has other messages under the same UIDs
                # (RFC 9051, 2.3.1.1).
                changed = _UIDVALIDITY.match(line[1]) if line[:1] == (b"OK",) else None
                if changed and int(changed[1]) != self._validity:
                    raise UnavailableError(
                        f"the folder {self._settings.folder} was replaced while it was read",
                        fix=_RUN_AGAIN,
                    )
        with _explained(self._settings, "MOVE"):
            if self._moves:
                self._client.move(uids, folder)
            elif self._expunges_by_uid:
                self._client.copy(uids, folder)
                self._client.add_flags(uids, [DELETED], silent=True)
                # Never a plain EXPUNGE: that also removes what the mailbox's owner flagged.
                self._client.uid_expunge(uids)
            else:
                self._client.add_flags(uids, [MARK], silent=True)
        return bool(self._moves or self._expunges_by_uid)


@contextmanager
def _existing(settings: Imap, setting: str) -> Iterator[str]:
    """The folder of a setting; a refusal to look at it means that it does not exist."""
    folder = getattr(settings, setting)
    try:
        yield folder
    except (IMAPClientAbortError, ProtocolError):
        raise
    except IMAPClientError:
        raise InputError(
            f"the mailbox has no folder {folder}",
            fix=f"create it, or set imap.{setting} to an existing folder",
        ) from None


@contextmanager
def _explained(settings: Imap, command: str) -> Iterator[None]:
    """Turn what a call of IMAPClient raises into an error that says what to do."""
    place = f"the mailbox at {settings.host}:{settings.port}"
    try:
        yield
    except NewsletterError:
        raise
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
            f"no encrypted connection to {place}: {error.reason or 'TLS failed'}", fix=_CHECK_TLS
        ) from None
    except OSError as error:
        raise UnavailableError(
            f"{place} cannot be reached: {error.strerror or error}",
            fix="check imap.host and imap.port",
        ) from None
    except IMAPClientReadOnlyError:
        raise RefusedError(
            f"the folder {settings.folder} is read-only for this user",
            fix="grant the user the right to move mail out of it",
        ) from None
    except (IMAPClientAbortError, EOFError):
        raise UnavailableError(f"{place} closed the connection", fix=_RUN_AGAIN) from None
    except Exception as error:
        # IMAPClient reads a server's answers with int(), indexing and the like, so an odd answer
        # can raise almost anything.
        if isinstance(error, IMAPClientError) and not isinstance(error, ProtocolError):
            raise UnavailableError(f"{place} refuses {command}", fix=_RUN_AGAIN) from None
        raise UnavailableError(
            f"{place} does not speak IMAP as expected",
            fix="run it again; if that does not help, check imap.port and imap.security",
        ) from None
