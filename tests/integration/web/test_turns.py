"""Over a real connection: much that comes at once is taken in pieces, whole and in order."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from starlette.types import Receive, Scope, Send

from newsletter.web.http.request_timeout import MOST_HEADERS, PIECE
from newsletter.web.http.server import background

HEAD = b"POST /%d HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(autouse=True, params=["uvloop", "asyncio"])
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """uvicorn takes uvloop where it is installed; transports of both are paused and resumed."""
    if request.param == "asyncio":
        monkeypatch.setitem(sys.modules, "uvloop", None)
    else:
        pytest.importorskip("uvloop")


class Counting:
    """Answers with the path and the size of the body, as far as it reads it."""

    def __init__(self, *, reads: bool = True) -> None:
        self.reads = reads
        self.pieces: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        size, more = 0, self.reads
        while more:
            message = await receive()
            self.pieces.append(len(message["body"]))
            size += self.pieces[-1]
            more = message["more_body"]
        text = f"{scope['path']} {size}\n".encode()
        headers = [(b"content-length", b"%d" % len(text))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})


@contextmanager
def line_to(app: Counting) -> Iterator[socket.socket]:
    with background(app) as address:
        place = urlsplit(address)
        with socket.create_connection((place.hostname, place.port), timeout=60) as line:
            yield line


def answers(line: socket.socket, count: int) -> list[str]:
    """The bodies of so many answers; fewer where the server hangs up."""
    got = b""
    while got.count(b"\n/") < count and (part := line.recv(65536)):
        got += part
    return [each.decode() for each in got.split(b"\n") if each.startswith(b"/")]


def test_a_body_in_tiny_chunks_gives_others_their_turn() -> None:
    app = Counting()
    with line_to(app) as line:
        chunks = b"1\r\nx\r\n" * 40_000 + b"0\r\n\r\n"
        line.sendall(HEAD % 1 + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
        assert answers(line, 1) == ["/1 40000"]
    # Before the application had its turn, no more than one or two pieces were parsed.
    assert max(app.pieces) <= PIECE


@pytest.mark.parametrize("reads", [True, False], ids=["read", "answered early"])
def test_requests_one_behind_the_other_are_answered_in_order(reads: bool) -> None:
    sizes = [0, 300_000, 1, 70_000, PIECE, 0, 2_000_000]
    with line_to(Counting(reads=reads)) as line:
        line.sendall(
            b"".join(
                HEAD % n + b"Content-Length: %d\r\n\r\n" % size + b"x" * size
                for n, size in enumerate(sizes)
            )
        )
        expected = [f"/{n} {size if reads else 0}" for n, size in enumerate(sizes)]
        assert answers(line, len(sizes)) == expected


@pytest.mark.parametrize(
    "headers", [b"X: " + b"y" * 40_000 + b"\r\n", b"a:\r\n" * 10_000], ids=["long", "many"]
)
def test_headers_past_the_limit_are_refused_though_they_come_at_once(headers: bytes) -> None:
    with line_to(Counting()) as line:
        line.sendall(HEAD % 1 + headers + b"\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 400 ")
    fits = b"X: " + b"y" * (MOST_HEADERS - 1000) + b"\r\n"
    with line_to(Counting()) as line:
        line.sendall(HEAD % 1 + fits + b"Content-Length: 1\r\n\r\nx")
        assert answers(line, 1) == ["/1 1"]
