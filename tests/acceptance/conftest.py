"""The command line as a process, in a project folder of its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

import pytest

from tests.support.smtp_server import Server

ROOT = Path(__file__).parents[2]
GIVE_UP_S = 120
"""Seconds until what is waited for has failed: far more than a busy machine needs."""


def until(condition: Callable[[], object]) -> None:
    """Wait for something to come true."""
    give_up = time.monotonic() + GIVE_UP_S
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


@dataclass
class Project:
    """A copy of the example publication that a test may change as it likes."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[Any]] = field(default_factory=list)
    """All that were started, those of `elsewhere` included."""

    @property
    def issue(self) -> Path:
        return self.folder / "issues" / "neck-muscles-and-migraine.md"

    @property
    def csv(self) -> Path:
        return self.folder / "subscribers.example.csv"

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        """Start `send.py` and do not wait."""
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "send.py"), *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, **self.environment, "NO_COLOR": "1"},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )
        self.processes.append(process)
        return process

    def elsewhere(self, **environment: str) -> Project:
        """The same folder with other settings."""
        return Project(self.folder, self.environment | environment, self.processes)

    def end(self) -> None:
        """Kill what still runs and close every pipe: a later test would be blamed for them."""
        for process in self.processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    # Input that was never written cannot be written any more.
                    with suppress(OSError):
                        pipe.close()

    def run(self, *arguments: object, exit_code: int = 0, stdin: str = "") -> str:
        """Run `send.py`, insist on the exit code, and give what it printed, both streams."""
        process = self.start(*arguments)
        out, err = process.communicate(stdin, timeout=GIVE_UP_S)
        assert process.returncode == exit_code, f"exit {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in err, err
        return out + err

    def json(self, *arguments: object, exit_code: int = 0) -> Any:
        """Run `send.py … --json` and read the one object it prints."""
        process = self.start(*arguments, "--json")
        out, err = process.communicate("", timeout=GIVE_UP_S)
        assert process.returncode == exit_code, f"exit {process.returncode}\n{out}\n{err}"
        return json.loads(out)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """The example publication, freshly copied, with keys of its own."""
    for name in ("newsletter.toml", "subscribers.example.csv"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("templates", "issues"):
        shutil.copytree(ROOT / name, tmp_path / name)
    made = Project(tmp_path)
    yield made
    made.end()


@dataclass
class Relay:
    """A real SMTP server, run in a thread so that processes can talk to it."""

    server: Server

    @property
    def recipients(self) -> list[str]:
        """Who got a message, in order."""
        return [recipient for message in self.server.received for recipient in message.rcpt_to]

    @property
    def environment(self) -> dict[str, str]:
        """What makes `send.py` use it."""
        return {
            "NEWSLETTER_TRANSPORT": "smtp",
            "NEWSLETTER_SMTP__HOST": "127.0.0.1",
            "NEWSLETTER_SMTP__PORT": str(self.server.port),
            "NEWSLETTER_SMTP__SECURITY": "none",
        }

    def headers(self, recipient: str) -> Message:
        """The headers of the message that a recipient got."""
        found = [m for m in self.server.received if recipient in m.rcpt_to]
        assert len(found) == 1, f"{recipient} got {len(found)} messages"
        return BytesHeaderParser().parsebytes(found[0].data)


@contextmanager
def running(server: Server) -> Iterator[Relay]:
    """Run a server in a thread with an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def wait(step: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(step, loop).result(timeout=GIVE_UP_S)

    try:
        wait(server.__aenter__())
        try:
            yield Relay(server)
        finally:
            wait(server.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def relay(project: Project) -> Iterator[Relay]:
    """A relay that takes everything; the project is set to use it."""
    with running(Server()) as relay:
        project.environment.update(relay.environment)
        yield relay
