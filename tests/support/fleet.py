"""A campaign and several worker processes that send it, to be disturbed at will."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from newsletter.campaign.status import Status, status
from newsletter.delivery.ledger.chunks import plan
from newsletter.delivery.ledger.outcomes import DeliveryOutcome, delivery_outcomes
from newsletter.delivery.ledger.tables import chunk
from newsletter.store.engine import Store, connect
from tests.support.receiver import Receiver

ROOT = Path(__file__).parents[2]
ISSUE = "issues/neck-muscles-and-migraine.md"
CONNECTIONS = 4
GIVE_UP_S = 120
KEYS = {
    "NEWSLETTER_SECRET_KEY": "only for tests: a signing key of many characters",
    "NEWSLETTER_SUPPRESSION_KEY": "only for tests: a suppression key of many characters",
}


@dataclass
class Fleet:
    """One project and database, one receiver, and workers by name.

    Each worker has a folder for its journals, as if it were a machine of its own.
    """

    folder: Path
    url: str
    receiver: Receiver
    environment: dict[str, str] = field(default_factory=dict)
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    people: int = 0

    def command(self, *arguments: object, name: str = "desk", **environment: str) -> list[Any]:
        """What `subprocess` needs to run `send.py` on a machine of this name."""
        own = {"NEWSLETTER_VAR_DIR": f"var-{name}", "NEWSLETTER_DATABASE_URL": self.url}
        limits = {"NEWSLETTER_SMTP__CONNECTIONS": str(CONNECTIONS), "NEWSLETTER_UNDO_WINDOW": "0"}
        given = {**KEYS, **own, **limits, **self.receiver.environment, **self.environment}
        return [
            [sys.executable, str(ROOT / "send.py"), *map(str, arguments)],
            {**os.environ, **given, **environment, "NO_COLOR": "1"},
        ]

    def run(self, *arguments: object, exit_code: int = 0, **environment: str) -> str:
        """Run `send.py`, insist on the exit code, and give what it printed."""
        command, given = self.command(*arguments, **environment)
        done = subprocess.run(
            command,
            env=given,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=GIVE_UP_S,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == exit_code, f"exit {done.returncode}\n{said}"
        assert "Traceback" not in said, said
        return said

    def begin(self, people: int, *options: str, chunk_size: int = 0) -> None:
        """Import so many readers, approve, and leave the campaign to the workers.

        Args:
            options: Further ones of `send`.
            chunk_size: Instead of what the ledger takes for so many readers.
        """
        self.people = people
        rows = "".join(f"{address},Reader\n" for address in self.everybody)
        (self.folder / "many.csv").write_text(f"email,first_name\n{rows}", encoding="utf-8")
        self.run("approve", ISSUE)
        sent = ("send", ISSUE, "--csv", "many.csv", "--live", "--confirm", people)
        self.run(*sent, "--detach", *options)
        if chunk_size:
            with self.store() as store, store.write() as connection:
                connection.execute(chunk.delete())
                plan(connection, 1, chunk_size)

    @property
    def everybody(self) -> list[str]:
        """The readers' addresses."""
        return [f"reader{n:06}@mail.example" for n in range(self.people)]

    def start(self, name: str, *options: str) -> subprocess.Popen[bytes]:
        """Start a worker on a machine of this name."""
        command, given = self.command("worker", *options, name=name)
        with (self.folder / f"{name}.log").open("ab") as log:
            self.workers[name] = subprocess.Popen(
                command, env=given, cwd=self.folder, stdout=log, stderr=log
            )
        return self.workers[name]

    def kill(self, name: str) -> None:
        """Kill a worker where it stands."""
        self.workers[name].kill()
        self.workers[name].wait()

    def stop(self) -> None:
        """End every worker politely; each must end well."""
        for worker in self.workers.values():
            worker.send_signal(signal.SIGTERM)
        codes = {name: worker.wait(GIVE_UP_S) for name, worker in self.workers.items()}
        assert not any(codes.values()), (codes, self.logs())

    def logs(self) -> str:
        """What the workers said."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to come true."""
        give_up = time.monotonic() + GIVE_UP_S
        while not condition():
            assert time.monotonic() < give_up, (self.status(), self.logs())
            time.sleep(0.05)

    def until_received(self, number: int) -> None:
        """Wait until the receiver has so many messages."""
        self.until(lambda: len(self.receiver.recipients) >= number)

    def until_finished(self) -> None:
        """Wait until the campaign has ended."""
        self.until(lambda: self.status().state == "finished")

    def status(self) -> Status:
        """How far the campaign is, while the database is there."""
        with self.store() as store, store.read() as connection:
            return status(connection, 1)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The database, to look into or to disturb."""
        opened = connect(make_url(self.url))
        try:
            yield opened
        finally:
            opened.close()

    def fates(self) -> list[DeliveryOutcome]:
        """What the ledger says of each reader."""
        with self.store() as store, store.read() as connection:
            return list(delivery_outcomes(connection, 1))

    def check(self, *, kills: int = 0) -> None:
        """Hold the ledger against the receiver, reader by reader.

        Args:
            kills: How many workers were killed; each leaves one message a connection uncertain.
        """
        got = Counter(self.receiver.recipients)
        assert not [address for address, copies in got.items() if copies > 1], "mailed twice"
        assert len(set(self.receiver.message_ids)) == len(got)
        fates = {fate.email: fate.state for fate in self.fates()}
        assert set(fates) == set(self.everybody)
        states = Counter(fates.values())
        assert states["accepted"] + states["uncertain"] == self.people, states
        assert states["uncertain"] <= CONNECTIONS * kills, states
        accepted = {address for address, state in fates.items() if state == "accepted"}
        assert accepted <= set(got), "accepted, and never received"
        assert set(got) - accepted <= {a for a, state in fates.items() if state == "uncertain"}


def project(folder: Path) -> Path:
    """A copy of the example publication."""
    shutil.copy(ROOT / "newsletter.toml", folder)
    for name in ("templates", "issues"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@contextmanager
def fleet(folder: Path, url: str, receiver: Receiver) -> Iterator[Fleet]:
    """A fleet without workers yet; whatever still runs at the end is killed."""
    made = Fleet(project(folder), url, receiver)
    try:
        yield made
    finally:
        for worker in made.workers.values():
            worker.kill()
            worker.wait()


def kill_at_random(ships: Fleet, kills: int, seed: int) -> int:
    """Kill one worker after the other, and start each again, until the campaign has ended.

    Args:
        kills: At most so many.
        seed: What comes when.

    Returns:
        How many were killed.
    """
    chance = random.Random(seed)
    for done in range(kills):
        name = chance.choice(sorted(ships.workers))
        enough = len(ships.receiver.recipients) + chance.randrange(1, ships.people // (kills + 1))
        ships.until_received(min(enough, ships.people))
        if len(ships.receiver.recipients) >= ships.people:
            return done
        ships.kill(name)
        ships.start(name)
    return kills
