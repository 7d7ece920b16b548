"""Opens an SMTP session: connect, TLS, EHLO, log in."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from pathlib import Path
from typing import NamedTuple, cast

from newsletter.errors import InputError, RefusedError
from newsletter.loopback import is_loopback
from newsletter.settings.model import Smtp
from newsletter.transports.smtp.protocol import Capabilities, Reply, ReplyParser

SEND_BUFFER = 256 * 1024
"""Octets the kernel buffers, so that a whole message leaves in one call."""


class NoSessionError(Exception):
    """A session could not be opened.

    Args:
        cause: What went wrong.
        fix: What to do about it.
        lasting: Trying again changes nothing until someone has done that.
    """

    def __init__(self, cause: str, fix: str = "", *, lasting: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.fix = fix
        self.lasting = lasting


class SmtpSession(NamedTuple):
    """An open, greeted and logged-in connection with nothing under way."""

    transport: asyncio.Transport
    server: Capabilities


def tls_context(settings: Smtp) -> ssl.SSLContext | None:
    """Return the TLS context, or None if the settings turn TLS off.

    Raises:
        RefusedError: Mail would leave this machine unencrypted.
        InputError: ``ca_file`` is not a readable PEM file.
    """
    if settings.security == "none":
        if is_loopback(settings.host):
            return None
        raise RefusedError(
            f"mail to {settings.host} would cross the network unencrypted",
            fix='set smtp.security to "starttls" or "tls"',
        )
    context = ssl.create_default_context()
    if settings.ca_file:
        try:
            context.load_verify_locations(cafile=Path(settings.ca_file))
        except OSError as error:
            raise InputError(
                f"smtp.ca_file is not a readable PEM file: {error.strerror or error}",
                file=settings.ca_file,
            ) from None
    return context


async def open_session(settings: Smtp, tls: ssl.SSLContext | None) -> SmtpSession:
    """Connect, greet (RFC 5321 section 3.1), start TLS (RFC 3207) and log in (RFC 4954).

    Raises:
        NoSessionError: The server cannot be reached, is not trusted, or refuses us.
    """
    dialogue = _Dialogue()
    try:
        async with asyncio.timeout(settings.timeout):
            transport, _ = await asyncio.get_running_loop().create_connection(
                lambda: dialogue, settings.host, settings.port
            )
    except TimeoutError:
        raise NoSessionError(f"no connection within {settings.timeout:g} s") from None
    except OSError as error:
        raise NoSessionError(
            f"cannot connect: {error.strerror or error}", "check smtp.host and smtp.port"
        ) from None
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    opening = _Opening(settings, dialogue, transport)
    try:
        return await opening.run(tls)
    except BaseException:
        # Not the transport from above: TLS may have replaced it.
        opening.transport.abort()
        raise


class _Opening:
    def __init__(self, settings: Smtp, dialogue: _Dialogue, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._settings = settings
        self._dialogue = dialogue

    async def run(self, tls: ssl.SSLContext | None) -> SmtpSession:
        if tls and self._settings.security == "tls":
            await self._encrypt(tls)
        self._require(await self._ask(b""), "the greeting")
        server = await self._greet()
        if tls and self._settings.security == "starttls":
            if "STARTTLS" not in server:
                raise NoSessionError(
                    "the server does not offer STARTTLS",
                    'set smtp.security to "tls" if the port expects TLS at once; "none" is for'
                    " this machine only",
                    lasting=True,
                )
            self._require(await self._ask(b"STARTTLS\r\n"), "STARTTLS")
            await self._encrypt(tls)
            # RFC 3207 section 4.2: what the server offered unencrypted may have been forged.
            server = await self._greet()
        user = self._settings.username
        if not user:
            return SmtpSession(self.transport, server)
        password = self._settings.password.get_secret_value()
        if "PLAIN" in server.logins:
            reply = await self._ask(b"AUTH PLAIN %b\r\n" % _base64(f"\0{user}\0{password}"))
        elif "LOGIN" in server.logins:
            # Obsolete, but all that some relays of hosting providers offer.
            reply = await self._ask(b"AUTH LOGIN\r\n")
            for answer in (user, password):
                if reply.code == 334:
                    reply = await self._ask(_base64(answer) + b"\r\n")
        else:
            raise NoSessionError(
                "the server offers neither AUTH PLAIN nor AUTH LOGIN",
                "check smtp.port, or leave smtp.username empty",
                lasting=True,
            )
        if not reply.good:
            raise NoSessionError(
                f"login refused: {_shown(reply)}",
                "check smtp.username and NEWSLETTER_SMTP__PASSWORD",
                lasting=reply.code >= 500,
            )
        return SmtpSession(self.transport, server)

    async def _greet(self) -> Capabilities:
        # An address literal (RFC 5321 section 4.1.3): this machine may have no name in DNS.
        sockname = self.transport.get_extra_info("sockname")
        own = f"IPv6:{sockname[0]}" if len(sockname) == 4 else sockname[0]
        reply = await self._ask(f"EHLO [{own}]\r\n".encode())
        self._require(reply, "EHLO")
        return Capabilities(reply)

    async def _encrypt(self, context: ssl.SSLContext) -> None:
        self._dialogue.forbid_leftovers()
        try:
            async with asyncio.timeout(self._settings.timeout):
                secured = await asyncio.get_running_loop().start_tls(
                    self.transport,
                    self._dialogue,
                    context,
                    # A certificate has the bare address, without the brackets of a URL.
                    server_hostname=self._settings.host.strip("[]"),
                )
        except ssl.SSLCertVerificationError as error:
            raise NoSessionError(
                f"the server's certificate is not trusted: {error.verify_message}",
                "set smtp.host to the name in the certificate, or smtp.ca_file to its authority",
                lasting=True,
            ) from None
        except (OSError, TimeoutError) as error:
            reason = getattr(error, "reason", "") or error or "no answer"
            raise NoSessionError(
                f"TLS failed: {reason}",
                'check smtp.port and smtp.security ("tls" is usual on 465, "starttls" on 587)',
            ) from None
        self.transport = cast("asyncio.Transport", secured)

    async def _ask(self, command: bytes) -> Reply:
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await self._dialogue.ask(self.transport, command)
        except TimeoutError:
            raise NoSessionError(f"no reply within {self._settings.timeout:g} s") from None

    @staticmethod
    def _require(reply: Reply, step: str) -> None:
        if not reply.good:
            raise NoSessionError(f"{step}: {_shown(reply)}", lasting=reply.code >= 500)


class _Dialogue(asyncio.Protocol):
    """Asks one thing at a time; a reply that was not asked for ends it."""

    def __init__(self) -> None:
        self._parser = ReplyParser()
        self._replies: list[Reply] = []
        self._lost = ""
        self._waiter: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        self._replies += self._parser.feed(data)
        self._lost = self._lost or self._parser.error
        if self._replies or self._lost:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = self._lost or "the server closed the connection"
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    async def ask(self, transport: asyncio.Transport, command: bytes) -> Reply:
        if command:
            self.forbid_leftovers()
            transport.write(command)
        while not self._replies:
            if self._lost:
                raise NoSessionError(self._lost)
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._replies.pop(0)

    def forbid_leftovers(self) -> None:
        """Refuse replies that came before they were asked for."""
        # Above all before TLS begins: anyone on the way could have injected them, and they would
        # be read as if they came through TLS (RFC 3207 section 6, CVE-2011-0411).
        if self._replies or self._parser.midway:
            raise NoSessionError("the server sent a reply before it was asked")


def _base64(text: str) -> bytes:
    return base64.b64encode(text.encode())


def _shown(reply: Reply) -> str:
    # Part of an error for people: some servers explain over many lines.
    return f"{reply.code} {reply.text[:200]}".replace("\n", " ")
