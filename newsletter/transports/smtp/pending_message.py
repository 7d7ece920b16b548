"""What is handed over to be sent: a batch, and each message of it on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from newsletter.delivery.model import Compose, Delivery, Journal, Outcome, Result
from newsletter.transports.smtp.protocol import Envelope, Reply

MAX_REPLY = 500
"""Characters of a reply that are kept (see `Outcome`)."""


class PendingMessage:
    """One delivery on its way."""

    __slots__ = ("batch", "data", "delivery", "envelope", "losses", "refusal")

    def __init__(self, delivery: Delivery, batch: PendingBatch) -> None:
        self.delivery = delivery
        self.batch = batch
        self.losses = 0
        self.refusal: Reply | None = None
        self.data = b""
        self.envelope: Envelope

    def settle(self, result: Result, reply: Reply | None = None, note: str = "") -> Outcome:
        """Record how this ended: the reply that decided it, or a note in place of one."""
        outcome = Outcome(
            self.delivery.position,
            result,
            reply.code if reply else None,
            reply.status if reply else "",
            (reply.text if reply else note)[:MAX_REPLY],
        )
        self.data = b""
        self.batch.add(outcome)
        return outcome


class PendingBatch:
    """Gathers exactly one outcome per delivery."""

    def __init__(self, deliveries: Sequence[Delivery], compose: Compose, journal: Journal) -> None:
        self._expected = len(deliveries)
        self.compose = compose
        self.journal = journal
        self.error: Exception | None = None
        """Why the rest was given up."""
        self._outcomes: list[Outcome] = []
        self._finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for the outcomes any more."""
        return self._finished.cancelled()

    def add(self, outcome: Outcome) -> None:
        """Take in one outcome."""
        self._outcomes.append(outcome)
        if len(self._outcomes) == self._expected and not self._finished.done():
            self._finished.set_result(None)

    async def outcomes(self) -> list[Outcome]:
        """Wait for all of them.

        Raises:
            Exception: What the batch was given up for, where nothing of it went out.
        """
        await self._finished
        if self.error and all(one.result is Result.RETURNED for one in self._outcomes):
            raise self.error
        return self._outcomes
