"""Sends to a real server, and compares the outcomes with what it received."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from newsletter.delivery.model import Delivery, Message, Outcome, Result
from newsletter.settings.model import Smtp
from newsletter.transports.smtp.transport import SmtpTransport
from tests.support.smtp_server import Server

LINE = b"A line of the body, about seventy octets long and certainly no longer.\r\n"
BODY = LINE * 200


@dataclass
class Log:
    """A journal in memory that raises at ``full_at`` lines, as on a full disk."""

    full_at: int = 0
    begun_at: list[int] = field(default_factory=list)
    replies: list[Outcome] = field(default_factory=list)

    def begun(self, position: int) -> None:
        self._space()
        self.begun_at.append(position)

    def replied(self, outcome: Outcome) -> None:
        self._space()
        self.replies.append(outcome)

    def _space(self) -> None:
        if self.full_at and len(self.begun_at) + len(self.replies) >= self.full_at:
            raise OSError(28, "No space left on device")


def compose(delivery: Delivery) -> Message:
    head = f"Message-ID: <{delivery.position}@news.example>\r\nTo: {delivery.email}\r\n\r\n"
    return Message(
        f"bounces+{delivery.position}@news.example",
        delivery.email,
        head.encode("ascii", "replace") + BODY,
    )


def deliveries(count: int, first: int = 1) -> list[Delivery]:
    return [
        Delivery(1, n, n, f"reader{n}@clinic.example", 0, {}) for n in range(first, first + count)
    ]


@dataclass
class Bench:
    """Sends over one transport and checks its promises."""

    server: Server
    log: Log
    settings: Smtp

    def transport(self) -> SmtpTransport:
        return SmtpTransport(self.settings, backoff=0.002)

    async def send(self, batch: Sequence[Delivery]) -> dict[int, Outcome]:
        transport = self.transport()
        try:
            outcomes = await transport.deliver(batch, compose, self.log)
        finally:
            await transport.close()
        await asyncio.sleep(0)
        return self.promises(batch, outcomes)

    def promises(self, batch: Sequence[Delivery], outcomes: list[Outcome]) -> dict[int, Outcome]:
        """Check: nobody twice, nobody lost, uncertain only if a whole body was sent."""
        assert sorted(one.position for one in outcomes) == [one.position for one in batch]
        assert not self.server.violations
        copies = Counter({int(k[1:].partition("@")[0]): v for k, v in self.server.copies.items()})
        assert set(copies.values()) <= {1}
        assert len(self.log.begun_at) == len(set(self.log.begun_at))
        for one in outcomes:
            if one.result is Result.UNCERTAIN:
                assert one.position in self.log.begun_at
            else:
                assert copies[one.position] == (one.result is Result.ACCEPTED), one
            if one.result is Result.RETURNED:
                assert one.position not in self.log.begun_at
        by_position = {one.position: one for one in outcomes}
        assert all(by_position[one.position] == one for one in self.log.replies)
        return by_position


def bench(server: Server, log: Log | None = None, **settings: object) -> Bench:
    """Return a bench for a listening server."""
    given = {"host": "127.0.0.1", "port": server.port, "security": "none", "timeout": 5.0}
    given["final_timeout"] = settings.get("timeout", given["timeout"])
    return Bench(server, log or Log(), Smtp(**{**given, "connections": 2, **settings}))


def results(outcomes: dict[int, Outcome]) -> Counter[str]:
    return Counter(one.result.value for one in outcomes.values())
