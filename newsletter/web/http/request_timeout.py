"""HTTP connections with a time limit, that share the event loop fairly.

uvicorn does not limit how slowly a client may send a request, and parses everything it has received
in one go: up to 256 KB, which may be 40,000 chunks of a body, or any number of headers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S = 20.0
"""A whole request, headers and body, must arrive within this time."""
MOST_HEADERS = 16 * 1024
"""Bytes of a request before its body, h11's own default; uvicorn's is four times that."""
PIECE = 4 * 1024
"""Bytes of one connection that are parsed before other connections get their turn."""


class RequestTimeout(H11Protocol):
    """Disconnects clients that send a request byte by byte, or not at all (slowloris).

    To the application it looks as if the client had hung up.
    """

    _deadline: asyncio.TimerHandle | None = None
    _tap: _Tap

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection is open: the first request is due."""
        self._tap = _Tap(transport, self.loop, self._parse)
        super().connection_made(cast("asyncio.Transport", self._tap))
        self._deadline = self.loop.call_later(REQUEST_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Some bytes arrived, perhaps the last ones of a request."""
        self._tap.pour(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._stop_clock()
        super().connection_lost(exc)

    def _parse(self, piece: bytes) -> None:
        super().data_received(piece)
        if self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}:
            self._stop_clock()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Tap:
    """A transport that passes data on in pieces, one in each turn of the event loop.

    It reads more only when all pieces are passed on, and while uvicorn wants to read.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        give: Callable[[bytes], None],
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._give = give
        self._left = b""
        self._wanted = True
        self._turn: asyncio.Handle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def pour(self, data: bytes) -> None:
        """Add data that was read."""
        self._left += data
        if self._turn is None:
            self._give_piece()

    def pause_reading(self) -> None:
        """uvicorn wants no more data for now."""
        self._wanted = False
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """uvicorn wants more data."""
        self._wanted = True
        self._go_on()

    def _give_piece(self) -> None:
        self._turn = None
        if self._wanted and not self._transport.is_closing():
            piece, self._left = self._left[:PIECE], self._left[PIECE:]
            self._give(piece)
            self._go_on()

    def _go_on(self) -> None:
        if self._transport.is_closing():
            return
        if self._left:
            self._transport.pause_reading()
        if not self._wanted:
            return
        if not self._left:
            self._transport.resume_reading()
        elif self._turn is None:
            self._turn = self._loop.call_soon(self._give_piece)
