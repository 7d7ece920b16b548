"""The `memory` transport: keeps messages, and answers as a test scripts it."""

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
"""Returns the outcome of a delivery, or raises; the number counts its attempts from 1."""


def accept(delivery: Delivery, _tries: int) -> Outcome:
    """Accept every delivery."""
    return Outcome(delivery.position, Result.ACCEPTED, 250, "2.0.0", "kept in memory")


class MemoryTransport:
    """Records messages; ``sent`` holds those accepted or uncertain, in order.

    Args:
        script: Decides the outcomes.
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
        """Answer a batch according to the script.

        Raises:
            UnavailableError: The script raised it.
        """
        outcomes: list[Outcome] = []
        for delivery in batch:
            # Let others run between messages, as a network would.
            await asyncio.sleep(0)
            position = delivery.position
            tries = self.tries[position] = self.tries.get(position, 0) + 1
            outcome = self._script(delivery, tries)
            outcomes.append(outcome)
            if outcome.result == Result.RETURNED:
                continue
            try:
                message = compose(delivery)
            except WithheldError:
                outcomes[-1] = Outcome(position, Result.RETURNED)
                continue
            except InputError as error:
                outcomes[-1] = Outcome(position, Result.FAILED, reply=str(error))
                continue
            journal.begun(position)
            if outcome.result in {Result.ACCEPTED, Result.UNCERTAIN}:
                self.sent.append((position, message))
            # Uncertain means that no reply came, so none is written down.
            if outcome.result != Result.UNCERTAIN:
                journal.replied(outcome)
        return outcomes

    def recall(self) -> None:
        """Do nothing: no message waits."""

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


def _refuse(_settings: Settings, _folder: Path) -> Transport:
    # Its messages end with the process, and the campaign would say that everyone got theirs.
    raise RefusedError(
        "the transport memory is for tests only: it keeps nothing to look at",
        fix='set transport = "file" in newsletter.toml',
    )


MEMORY = TransportKind(
    name="memory",
    open=_refuse,
    describe=lambda _: "to memory: nothing leaves this machine",
    reaches_people=lambda _: False,
    reaches_outside=lambda _: False,
)
