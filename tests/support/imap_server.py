"""pymap, a real IMAP server, behind a wire that can be told to misbehave."""

from __future__ import annotations

import imaplib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.settings.model import Imap

USER, PASSWORD = "bounces", 'a "quoted" \\ pass'
FOLDERS = ("Processed", "Unverified")
Line = Callable[[bytes], bytes | None]


def _as_it_is(line: bytes) -> bytes | None:
    return line


@dataclass
class Wire:
    """Between a client and the server: each hook gets a line and gives what is passed on.

    ``asked`` sees the client's lines and ``told`` the server's; None hangs up. ``log`` holds what
    the client asked.
    """

    server: int
    asked: Line = _as_it_is
    told: Line = _as_it_is
    log: list[bytes] = field(default_factory=list)
    port: int = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take connections; every socket is closed at the end."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            accepting = threading.Thread(target=self._accept, args=(listener,))
            accepting.start()
            yield
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()

    def _accept(self, listener: socket.socket) -> None:
        connections = []
        while True:
            try:
                client = listener.accept()[0]
            except OSError:
                break
            connections.append(threading.Thread(target=self._connect, args=(client,)))
            connections[-1].start()
        for connection in connections:
            connection.join()

    def _connect(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self.server)) as server:
            asking = threading.Thread(target=_carry, args=(client, server, self._note))
            asking.start()
            _carry(server, client, self.told)
            asking.join()

    def _note(self, line: bytes) -> bytes | None:
        self.log.append(line)
        return self.asked(line)


def _carry(source: socket.socket, sink: socket.socket, hook: Line) -> None:
    with source.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            passed = hook(line)
            if passed is None:
                break
            sink.sendall(passed)
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@dataclass
class Postbox:
    """A mailbox with the folders that the settings name; ``direct`` is the server's own port."""

    wire: Wire
    direct: int

    def settings(self, **changes: object) -> Imap:
        """What reads it through the wire."""
        facts = {"host": "127.0.0.1", "port": self.wire.port, "security": "none"}
        who = {"username": USER, "password": PASSWORD, "timeout": 5}
        return Imap.model_validate(facts | who | changes)

    @property
    def environment(self) -> dict[str, str]:
        """What makes `send.py` read it through the wire."""
        return {
            "NEWSLETTER_IMAP__HOST": "127.0.0.1",
            "NEWSLETTER_IMAP__PORT": str(self.wire.port),
            "NEWSLETTER_IMAP__SECURITY": "none",
            "NEWSLETTER_IMAP__USERNAME": USER,
            "NEWSLETTER_IMAP__PASSWORD": PASSWORD,
            "NEWSLETTER_IMAP__TIMEOUT": "60",
        }

    @contextmanager
    def session(self) -> Iterator[imaplib.IMAP4]:
        """The mailbox's owner at work, not over the wire."""
        with imaplib.IMAP4("127.0.0.1", self.direct, timeout=60) as session:
            session.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
            yield session

    def put(self, *messages: bytes) -> None:
        with self.session() as session:
            for message in messages:
                stored = message.replace(b"\n", b"\r\n")
                assert session.append("INBOX", "", "", stored)[0] == "OK"

    def counts(self) -> tuple[int, int, int]:
        """How many messages are in INBOX, Processed and Unverified."""
        with self.session() as session:
            told = [session.select(name, readonly=True)[1][0] for name in ("INBOX", *FOLDERS)]
        inbox, processed, unverified = (int(each or 0) for each in told)
        return inbox, processed, unverified

    def flags(self) -> list[bytes]:
        with self.session() as session:
            session.select("INBOX", readonly=True)
            return [bytes(each) for each in session.fetch("1:*", "(FLAGS)")[1] if each]


@contextmanager
def imap_server(certificate: Path | None = None) -> Iterator[Postbox]:
    """Run the server with an empty mailbox.

    Args:
        certificate: A folder with ``server.pem`` and ``server.key``, for STARTTLS.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    tls = ["--no-tls"]
    if certificate:
        tls = ["--cert", str(certificate / "server.pem"), "--key", str(certificate / "server.key")]
    program = [str(Path(sys.executable).with_name("pymap")), "--host", "127.0.0.1"]
    backend = ["dict", "--demo-data", "--demo-user", USER, "--demo-password", PASSWORD]
    process = subprocess.Popen([*program, "--port", str(port), *tls, *backend])
    try:
        _wait(port, process)
        wire = Wire(port)
        with wire.listening():
            postbox = Postbox(wire, port)
            _prepare(postbox)
            yield postbox
    finally:
        process.kill()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1200):
        assert process.poll() is None, "pymap ended; is it installed?"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("pymap does not listen")


def _prepare(postbox: Postbox) -> None:
    """Without the letters that the server shows itself with."""
    with postbox.session() as session:
        for folder in FOLDERS:
            session.create(folder)
        session.select("INBOX")
        session.store("1:*", "+FLAGS", r"(\Deleted)")
        session.expunge()
