"""Receivers that keep nothing: Postfix's smtp-sink, and one whose every reply comes late."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CACHE = Path("var/bench")


@contextmanager
def smtp_sink() -> Iterator[int]:
    """Run smtp-sink on a free port, which is given.

    It belongs to Postfix, whose Debian package is unpacked into the cache: nothing is installed.
    """
    program = _program()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    libraries = program.parents[1] / "lib/postfix"
    sink = subprocess.Popen(
        [program, "-u", "nobody", f"127.0.0.1:{port}", "256"],
        env={**os.environ, "LD_LIBRARY_PATH": str(libraries)},
    )
    try:
        _wait(port)
        yield port
    finally:
        sink.terminate()
        sink.wait()


def _program() -> Path:
    found = shutil.which("smtp-sink")
    if found:
        return Path(found)
    program = (CACHE / "postfix/usr/sbin/smtp-sink").resolve()
    if not program.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            "(apt-get download -q postfix || (apt-get update && apt-get download -q postfix))"
            " && dpkg -x postfix_*.deb postfix",
            shell=True,
            check=True,
            cwd=CACHE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    return program


def _wait(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("smtp-sink does not listen")


class _Late(asyncio.Protocol):
    """Takes everything, and says so after a round trip's time."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._rest = b""
        self._in_body = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._reply(b"220 late.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while self._body() if self._in_body else self._command():
            pass

    def _body(self) -> bool:
        end = self._rest.find(b"\r\n.\r\n")
        if end < 0:
            return False
        self._rest = self._rest[end + 5 :]
        self._in_body = False
        self._reply(b"250 2.0.0 taken\r\n")
        return True

    def _command(self) -> bool:
        line, found, rest = self._rest.partition(b"\r\n")
        if not found:
            return False
        self._rest = rest
        word = line[:4].upper()
        self._in_body = word == b"DATA"
        if word == b"EHLO":
            self._reply(b"250-late.example\r\n250 PIPELINING\r\n")
        else:
            self._reply(
                {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}.get(word, b"250 ok\r\n")
            )
        return True

    def _reply(self, line: bytes) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self._delay, self._transport.write, line)


@contextmanager
def late_sink(delay: float) -> Iterator[int]:
    """Run a server on a free port, which is given; each reply comes ``delay`` seconds late."""
    started: list[tuple[asyncio.AbstractEventLoop, int]] = []
    ready = threading.Event()

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Late(delay), "127.0.0.1", 0)
        started.append((loop, server.sockets[0].getsockname()[1]))
        ready.set()
        await asyncio.Event().wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    ready.wait()
    yield started[0][1]
