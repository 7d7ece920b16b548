"""An SMTP server in a process of its own that writes down each message the moment it is taken.

``python -m tests.support.receiver FILE DELAY`` prints its port; each line of FILE is a recipient
and a Message-ID. DELAY is how many seconds it takes over each message.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.smtp_server import Fault, Received, Server

ROOT = Path(__file__).parents[2]


class Record(list[Received]):
    """Keeps nothing in memory."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def append(self, message: Received) -> None:
        """Write it down."""
        (recipient,) = message.rcpt_to
        os.write(self._descriptor, f"{recipient} {message.message_id}\n".encode())


@dataclass(frozen=True)
class Receiver:
    """A running receiver, and what it has taken so far."""

    port: int
    path: Path

    @property
    def recipients(self) -> list[str]:
        """Who got a message, in order."""
        return [line.split()[0] for line in self._lines()]

    @property
    def message_ids(self) -> list[str]:
        """The Message-ID of each message, in order."""
        return [line.split()[1] for line in self._lines()]

    @property
    def environment(self) -> dict[str, str]:
        """What makes `send.py` use it."""
        return {
            "NEWSLETTER_TRANSPORT": "smtp",
            "NEWSLETTER_SMTP__HOST": "127.0.0.1",
            "NEWSLETTER_SMTP__PORT": str(self.port),
            "NEWSLETTER_SMTP__SECURITY": "none",
        }

    def _lines(self) -> list[str]:
        text = self.path.read_text(encoding="utf-8")
        # The last line may be half written.
        return text[: text.rfind("\n") + 1].splitlines()


@contextmanager
def receiving(path: Path, delay: float = 0.0) -> Iterator[Receiver]:
    """Run a receiver that writes to this file."""
    command = [sys.executable, "-m", "tests.support.receiver", str(path), str(delay)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield Receiver(int(process.stdout.readline()), path)
    finally:
        process.terminate()
        process.communicate()


async def _serve(path: Path, delay: float) -> None:
    faults = [Fault("dot", delay=delay)] if delay else []
    async with Server(faults=faults, received=Record(path)) as server:
        print(server.port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), float(sys.argv[2])))
