"""HTTP connections that do not wait for ever: uvicorn sets no limit to how slowly one may ask."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S = 20.0
"""A request must be there as a whole so long after its beginning, headers and body."""


class RequestTimeout(H11Protocol):
    """Cuts off who sends a request byte by byte, or none at all (slowloris).

    To the application it looks as if the client had hung up.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection is open: the first request is due."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(REQUEST_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Some bytes came, and perhaps the last ones of a request."""
        super().data_received(data)
        if self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}:
            self._at_ease()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._at_ease()
        super().connection_lost(exc)

    def _at_ease(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
