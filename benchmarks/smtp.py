"""How near the SMTP transport comes to the least that can be done, and how far smtplib is.

Each sends the same constant message of about 58 KB to Postfix's smtp-sink on loopback:
a client that does nothing but write and read (the limit), our transport, and smtplib reusing one
connection. Rates depend on the machine and its mood; the ratios of one round, and the processor
time of the sending process, are what to compare.

    python -m benchmarks.smtp [MESSAGES] [ROUNDS]
"""

from __future__ import annotations

import asyncio
import smtplib
import socket
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from benchmarks.delivery.sink import smtp_sink
from newsletter.delivery.model import Delivery, Message, Outcome, Result
from newsletter.settings.model import Smtp
from newsletter.transports.smtp.transport import SmtpTransport

CONNECTIONS = 8
LINE = b"A line of the body, seventy-six octets with its end, as encoders like it.\r\n"
HEAD = (
    b"From: news@clinic.example\r\nTo: reader@clinic.example\r\n"
    b"Subject: A constant message\r\nMessage-ID: <1@clinic.example>\r\n\r\n"
)
DATA = HEAD + LINE * 770
ENVELOPE = b"MAIL FROM:<bounces@clinic.example>\r\nRCPT TO:<reader@clinic.example>\r\nDATA\r\n"


class Raw(asyncio.Protocol):
    """The limit: one write per message, replies counted by their line ends."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024)
        self.state = "greeting"

    def data_received(self, data: bytes) -> None:
        if self.state == "greeting":
            self.state = "ehlo"
            self.transport.write(b"EHLO [127.0.0.1]\r\n")
        elif self.state == "ehlo":
            self.state = "sending"
            self.transport.write(ENVELOPE)
        elif b"354 " in data:
            self.left -= 1
            self.transport.write(DATA + b".\r\n" + (ENVELOPE if self.left else b""))
        elif not self.left and data.endswith(b"\r\n") and b"250 " in data:
            self.transport.close()
            self.done.set_result(None)


async def raw(port: int, count: int) -> None:
    clients = [Raw(count // CONNECTIONS) for _ in range(CONNECTIONS)]
    for client in clients:
        await asyncio.get_running_loop().create_connection(
            lambda client=client: client, "127.0.0.1", port
        )
    await asyncio.gather(*(client.done for client in clients))


class NoJournal:
    def begun(self, position: int) -> None:
        pass

    def replied(self, outcome: Outcome) -> None:
        pass


async def ours(port: int, count: int) -> None:
    transport = SmtpTransport(Smtp(port=port, security="none", connections=CONNECTIONS))
    message = Message("bounces@clinic.example", "reader@clinic.example", DATA)
    batches = [
        [Delivery(1, n, n, "reader@clinic.example", 0, {}) for n in range(first, first + 500)]
        for first in range(1, count + 1, 500)
    ]
    under_way: list[asyncio.Task[list[Outcome]]] = []
    for batch in batches:
        sending = transport.deliver(batch, lambda _: message, NoJournal())
        under_way.append(asyncio.create_task(sending))
        if len(under_way) > 1:
            check(await under_way.pop(0))
    for task in under_way:
        check(await task)
    await transport.close()


def check(outcomes: list[Outcome]) -> None:
    assert {one.result for one in outcomes} == {Result.ACCEPTED}


def standard(port: int, count: int) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        for _ in range(count):
            client.sendmail("bounces@clinic.example", "reader@clinic.example", DATA)


def on_loop(
    send: Callable[[int, int], Coroutine[Any, Any, None]], loop: Callable[[], Any]
) -> Callable[[int, int], None]:
    def run(port: int, count: int) -> None:
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(send(port, count))

    return run


SENDERS: dict[str, tuple[Callable[[int, int], None], float]] = {
    "limit, uvloop": (on_loop(raw, uvloop.new_event_loop), 1),
    "our transport, uvloop": (on_loop(ours, uvloop.new_event_loop), 1),
    "our transport, asyncio": (on_loop(ours, asyncio.new_event_loop), 1),
    "smtplib, one connection": (standard, 0.1),
}


def measure(send: Callable[[int, int], None], port: int, count: int) -> tuple[float, float]:
    """Give messages per second, and CPU microseconds per message of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    send(port, count)
    return (
        count / (time.perf_counter() - wall),
        (time.process_time() - cpu) / count * 1e6,
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in SENDERS}
    with smtp_sink() as port:
        for _ in range(rounds):
            limit = 0.0
            for name, (send, share) in SENDERS.items():
                rate, cpu = measure(send, port, int(count * share))
                limit = limit or rate
                figures[name].append((rate, cpu, rate / limit))
    print(f"{count} messages of {len(DATA) / 1024:.0f} KB, {CONNECTIONS} connections; medians")
    print(f"{'':26}{'msg/s':>8}{'CPU us/msg':>12}{'ratio to limit':>16}")
    for name, rows in figures.items():
        rate, cpu, ratio = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{name:26}{rate:8.0f}{cpu:12.0f}{ratio:16.2f}")


if __name__ == "__main__":
    main()
