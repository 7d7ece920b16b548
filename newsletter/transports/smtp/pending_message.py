"""A batch on its way through the transport, and each of its messages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from newsletter.delivery.model import Compose, Delivery, Journal, Outcome, Result
from newsletter.transports.smtp.protocol import Envelope, Reply

MAX_REPLY = 500
"""Characters of a reply that are kept (see `Outcome`)."""


class PendingMessage:
    """One delivery on its way. `SmtpTransport.take` adds envelope and data."""

    # There is one for every recipient of a batch: slots keep them small.
    __slots__ = ("batch", "data", "delivery", "envelope", "losses", "refusal")

    def __init__(self, delivery: Delivery, batch: PendingBatch) -> None:
        self.delivery = delivery
        self.batch = batch
        self.losses = 0
        self.refusal: Reply | None = None
        self.data = b""
        self.envelope: Envelope

    def settle(self, result: Result, reply: Reply | None = None, note: str = "") -> Outcome:
        """Record the outcome, with the reply that decided it, or else a note."""
        outcome = Outcome(
            self.delivery.position,
            result,
            reply.code if reply else None,
            reply.status if reply else "",
            (reply.text if reply else note)[:MAX_REPLY],
        )
        # The batch lives on until its last message is settled; the bodies need not.
        self.data = b""
        self.batch.add(outcome)
        return outcome


class PendingBatch:
    """Collects exactly one outcome per delivery."""

    def __init__(self, deliveries: Sequence[Delivery], compose: Compose, journal: Journal) -> None:
        self._expected = len(deliveries)
        self.compose = compose
        self.journal = journal
        self.error: Exception | None = None
        """Why the remaining deliveries were returned."""
        self._outcomes: list[Outcome] = []
        self._finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def abandoned(self) -> bool:
        """Whether the caller no longer waits for the outcomes."""
        return self._finished.cancelled()

    def add(self, outcome: Outcome) -> None:
        """Record one outcome."""
        self._outcomes.append(outcome)
        if len(self._outcomes) == self._expected and not self._finished.done():
            self._finished.set_result(None)

    async def outcomes(self) -> list[Outcome]:
        """Wait for all outcomes.

        Raises:
            Exception: Why the batch was given up, if nothing of it went out.
        """
        await self._finished
        if self.error and all(one.result is Result.RETURNED for one in self._outcomes):
            raise self.error
        return self._outcomes
