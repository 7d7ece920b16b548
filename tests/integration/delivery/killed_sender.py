"""A sending process to be killed: takes each message by a line in a file, as a server would."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import make_url

from newsletter.database.open import open_url
from newsletter.delivery.model import Compose, Delivery, Journal, Outcome, Result
from newsletter.delivery.runner.runner import SendLimits, run_campaign
from tests.integration.delivery.campaigns import compose

CONNECTIONS = 3


class FileTransport:
    """Several connections; each holds one message between its begin and its reply."""

    batch = 0

    def __init__(self, taken: Path) -> None:
        self._taken = os.open(taken, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._connections = asyncio.Semaphore(CONNECTIONS)

    async def deliver(
        self, batch: Sequence[Delivery], compose: Compose, journal: Journal
    ) -> list[Outcome]:
        return list(await asyncio.gather(*(self._one(each, compose, journal) for each in batch)))

    async def _one(self, delivery: Delivery, compose: Compose, journal: Journal) -> Outcome:
        async with self._connections:
            compose(delivery)
            journal.begun(delivery.position)
            await asyncio.sleep(0.002)
            os.write(self._taken, f"{delivery.position}\n".encode())
            await asyncio.sleep(0.002)
            outcome = Outcome(delivery.position, Result.ACCEPTED, 250, "2.0.0", "taken")
            journal.replied(outcome)
            return outcome

    async def close(self) -> None:
        os.close(self._taken)


async def send(url: str, folder: Path, campaign_id: int) -> None:
    store = open_url(make_url(url))
    transport = FileTransport(folder / "taken")
    await run_campaign(
        store,
        campaign_id,
        transport,
        compose,
        owner="killed",
        journal_dir=folder / "journal",
        limits=SendLimits(patience=0.0),
    )
    await transport.close()
    store.close()


if __name__ == "__main__":
    asyncio.run(send(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
