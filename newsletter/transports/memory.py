"""The `memory` transport: keeps what it is given, and answers as a test scripts it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from newsletter.delivery.model import (
    Compose,
    Delivery,
    Journal,
    Message,
    Outcome,
    Result,
    Transport,
    WithheldError,
)
from newsletter.errors import InputError, RefusedError
from newsletter.settings.model import Settings
from newsletter.transports.base import TransportKind

Script = Callable[[Delivery, int], Outcome]
"""Answers a delivery; the number counts its tries from 1. It may raise."""


def accept(delivery: Delivery, _tries: int) -> Outcome:
    """Accept everything."""
    return Outcome(delivery.position, Result.ACCEPTED, 250, "2.0.0", "kept in memory")


class MemoryTransport:
    """Records every message; ``sent`` holds those that were accepted or are uncertain, in order.

    Args:
        script: What is answered.
    """

    batch = 0

    def __init__(self, script: Script = accept) -> None:
        self.sent: list[tuple[int, Message]] = []
        self.tries: dict[int, int] = {}
        self.closed = False
        self._script = script

    async def deliver(
        self, batch: Sequence[Delivery], compose: Compose, journal: Journal
    ) -> list[Outcome]:
        """Answer a batch by the script.

        Raises:
            UnavailableError: The script says so.
        """
        outcomes = []
        for delivery in batch:
            await asyncio.sleep(0)
            outcomes.append(self._one(delivery, compose, journal))
        return outcomes

    def _one(self, delivery: Delivery, compose: Compose, journal: Journal) -> Outcome:
        position = delivery.position
        tries = self.tries[position] = self.tries.get(position, 0) + 1
        outcome = self._script(delivery, tries)
        if outcome.result == Result.RETURNED:
            return outcome
        try:
            message = compose(delivery)
        except WithheldError:
            return Outcome(position, Result.RETURNED)
        except InputError as error:
            return Outcome(position, Result.FAILED, reply=str(error))
        journal.begun(position)
        if outcome.result in {Result.ACCEPTED, Result.UNCERTAIN}:
            self.sent.append((position, message))
        if outcome.result != Result.UNCERTAIN:
            journal.replied(outcome)
        return outcome

    def recall(self) -> None:
        """Nothing waits here: each message has its answer at once."""

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


def _refuse(_settings: Settings, _folder: Path) -> Transport:
    raise RefusedError(
        "the transport memory is for tests: nothing could be looked at afterwards",
        fix='set transport = "file" in newsletter.toml',
    )


MEMORY = TransportKind(
    name="memory",
    open=_refuse,
    describe=lambda _: "nowhere: it is kept in memory",
    reaches_people=lambda _: False,
    reaches_outside=lambda _: False,
)
