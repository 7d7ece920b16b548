"""The limit: the same bytes over and over, pipelined, and nothing noted down.

python raw.py PORT COUNT MESSAGE CONNECTIONS
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

import uvloop

ENVELOPE = b"MAIL FROM:<bounces@clinic.example>\r\nRCPT TO:<reader@clinic.example>\r\nDATA\r\n"


class Raw(asyncio.Protocol):
    """One write for a message and the next one's envelope; its body waits for 354."""

    def __init__(self, message: bytes, share: list[int]) -> None:
        self._message = message + b".\r\n"
        self._share = share
        self._state = "greeting"
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024)

    def data_received(self, data: bytes) -> None:
        if self._state == "greeting":
            self._state = "ehlo"
            self._transport.write(b"EHLO [127.0.0.1]\r\n")
        elif self._state == "ehlo":
            self._state = "sending" if self._next() else "last"
            self._transport.write(ENVELOPE)
        elif b"354 " in data:
            more = self._next()
            self._state = "sending" if more else "last"
            self._transport.write(self._message + (ENVELOPE if more else b""))
        elif self._state == "last" and not self.done.done():
            self._transport.close()
            self.done.set_result(None)

    def _next(self) -> bool:
        self._share[0] -= 1
        return self._share[0] >= 0


async def main(port: int, count: int, message: bytes, connections: int) -> None:
    share = [count]
    clients = [Raw(message, share) for _ in range(connections)]
    loop = asyncio.get_running_loop()
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)
    await asyncio.gather(*(client.done for client in clients))


if __name__ == "__main__":
    port, count, path, connections = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(port), int(count), Path(path).read_bytes(), int(connections)))
