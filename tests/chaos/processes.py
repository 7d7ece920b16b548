"""Starting and killing the processes of a storm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from tests.chaos.sender import Errand

ROOT = Path(__file__).parents[2]


class Child:
    """A sending process. Its number stays its own until `wait`, so that no other is killed."""

    def __init__(self, nursery: Nursery, pid: int, errand: Errand) -> None:
        self._nursery = nursery
        self.pid = pid
        self.errand = errand
        self.struck = False
        self.exit: int | None = None

    def running(self) -> bool:
        """Whether it still runs."""
        if self.exit is None and (found := self._nursery.ask(f"look {self.pid}")):
            self.exit = int(found)
        return self.exit is None

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing if it has ended."""
        if self.exit is None:
            os.kill(self.pid, number)
            self.struck = True

    def wait(self) -> int:
        """Wait for its end; its exit status, negative for a signal."""
        if self.exit is None:
            self.exit = int(self._nursery.ask(f"wait {self.pid}"))
        return self.exit


class Nursery:
    """The process that senders are forked from."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._children: list[Child] = []

    def start(self, errand: Errand) -> Child:
        """Start a sender."""
        child = Child(self, int(self.ask(json.dumps(asdict(errand)))), errand)
        self._children = [each for each in self._children if each.exit is None] + [child]
        return child

    def ask(self, line: str) -> str:
        """Say a line and give the answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process that forks senders has ended"
        return answer.strip()

    def clear(self) -> None:
        """Kill whatever is left."""
        for child in self._children:
            child.send_signal(signal.SIGKILL)
            child.wait()


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Start a process to fork senders from; at the end it and they are gone."""
    with _python("tests.chaos.sender") as process:
        made = Nursery(process)
        try:
            yield made
        finally:
            with suppress(AssertionError, OSError):
                made.clear()
            process.kill()


class Receiver:
    """A running receiver."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        self._process = process
        self.port = int(process.stdout.readline())

    def finish(self) -> None:
        """Let it read what is still on its way, and end."""
        assert self._process.stdin
        self._process.stdin.close()
        assert self._process.wait(timeout=60) == 0


@contextmanager
def receiver(folder: Path, seed: int, kind: str, delay: float) -> Iterator[Receiver]:
    """Start a receiver; see `tests.chaos.receiver`.

    Args:
        kind: ``calm`` or ``rough``.
        delay: Seconds before the reply to a message.
    """
    arguments = [str(folder), str(seed), kind, str(delay)]
    with _python("tests.chaos.receiver", *arguments) as process:
        try:
            yield Receiver(process)
        finally:
            process.kill()


def _python(module: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
