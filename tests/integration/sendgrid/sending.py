"""Sends to the fake, and compares the outcomes with what it received."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import SecretStr

from newsletter.delivery.compose.composer import Composer
from newsletter.delivery.model import Delivery, Outcome, Result
from newsletter.settings.model import Sendgrid
from newsletter.transports.sendgrid.transport import SendgridTransport
from tests.support.sendgrid_fake import KEY, FakeSendGrid
from tests.unit.delivery.issues import compiled, composer, reader

COMPOSER = composer(compiled())


@dataclass
class Log:
    """A journal in memory that raises at ``full_at`` lines, as on a full disk."""

    full_at: int = 0
    begun_at: list[int] = field(default_factory=list)
    replies: list[Outcome] = field(default_factory=list)

    def begun(self, position: int) -> None:
        self._space()
        if self._was_returned(position):
            self.begun_at.remove(position)
        self.begun_at.append(position)

    def replied(self, outcome: Outcome) -> None:
        self._space()
        self._was_returned(outcome.position)
        self.replies.append(outcome)

    def _was_returned(self, position: int) -> bool:
        """Whether an earlier call was answered; the answer must have been "not taken"."""
        earlier = [one for one in self.replies if one.position == position]
        assert {one.result for one in earlier} <= {Result.RETURNED}
        self.replies = [one for one in self.replies if one.position != position]
        return bool(earlier)

    def _space(self) -> None:
        if self.full_at and len(self.begun_at) + len(self.replies) >= self.full_at:
            raise OSError(28, "No space left on device")


@dataclass
class Bench:
    """Sends over one transport and checks its promises."""

    server: FakeSendGrid
    settings: Sendgrid
    log: Log = field(default_factory=Log)
    key: str = KEY

    def transport(self) -> SendgridTransport:
        return SendgridTransport(self.settings, SecretStr(self.key), backoff=0.002)

    def send(self, batch: Sequence[Delivery], compose: Composer = COMPOSER) -> dict[int, Outcome]:
        """Deliver one batch and return the outcomes by position."""

        async def main() -> list[Outcome]:
            transport = self.transport()
            try:
                return await transport.deliver(batch, compose, self.log)
            finally:
                await transport.close()

        return self.promises(batch, asyncio.run(main()))

    def promises(self, batch: Sequence[Delivery], outcomes: list[Outcome]) -> dict[int, Outcome]:
        """Check: nobody twice, nobody lost, uncertain only if a call was under way."""
        assert sorted(one.position for one in outcomes) == sorted(one.position for one in batch)
        assert len(self.log.begun_at) == len(set(self.log.begun_at))
        copies = Counter(one.custom_args["position"] for one in self.server.sent)
        for one in outcomes:
            assert copies[str(one.position)] <= 1
            if one.result is Result.UNCERTAIN:
                assert one.position in self.log.begun_at
            elif one.reply != "sandbox: not sent":
                assert copies[str(one.position)] == (one.result is Result.ACCEPTED), one
        by_position = {one.position: one for one in outcomes}
        answered = {one.position for one in outcomes if one.result is not Result.UNCERTAIN}
        assert all(by_position[one.position] == one for one in self.log.replies)
        assert {one.position for one in self.log.replies} == answered & set(self.log.begun_at)
        return by_position


def readers(count: int, first: int = 1) -> list[Delivery]:
    return [reader(position) for position in range(first, first + count)]


def results(outcomes: dict[int, Outcome]) -> Counter[str]:
    return Counter(one.result.value for one in outcomes.values())
