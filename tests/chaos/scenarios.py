"""Which storms there are, and on which databases."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from newsletter.database.open import open_url
from tests.chaos.audit import Audit
from tests.chaos.processes import Nursery, nursery
from tests.chaos.storm import Blows, Plan, Storm
from tests.support.postgres import PostgresServer, postgres_server

STOPS = (signal.SIGTERM, signal.SIGINT)
SET_BACK = (0.0, -3600.0, -86400.0)
SQLITE, POSTGRES = "SQLite", "PostgreSQL"


@dataclass(frozen=True)
class Scenario:
    """A kind of storm; ``options`` go to `Plan`. ``restarts``: the database is, too."""

    database: str
    name: str
    options: dict[str, Any] = field(default_factory=dict)
    restarts: bool = False

    def __str__(self) -> str:
        """For people, and for pytest."""
        return f"{self.database}: {self.name}"


SCENARIOS = (
    Scenario(SQLITE, "killed"),
    Scenario(POSTGRES, "killed"),
    Scenario(POSTGRES, "one of three workers killed", {"workers": 3}),
    Scenario(POSTGRES, "killed, and the server with it", {"workers": 2}, restarts=True),
    Scenario(SQLITE, "killed, and no room for the database", {"full": True}),
    Scenario(POSTGRES, "killed, and no room for the journal", {"full": True}),
    Scenario(SQLITE, "killed, and the clock set back", {"clocks": SET_BACK}),
    Scenario(POSTGRES, "killed, and senders' clocks differ", {"workers": 2, "clocks": SET_BACK}),
    Scenario(SQLITE, "SIGTERM and Ctrl-C", {"ending": STOPS}),
    Scenario(POSTGRES, "SIGTERM and Ctrl-C", {"workers": 2, "ending": STOPS}),
)
"""On PostgreSQL the time is the server's, whose clock is never asked of a sender: what is shown
there is that a sender's own clock does not matter."""


@dataclass
class Arena:
    """What storms share: a server whose commits are on disk, and a process to fork from."""

    server: PostgresServer
    template: str
    nursery: Nursery

    def run(self, scenario: Scenario, seed: int, blows: int) -> tuple[Blows, Audit]:
        """Run one storm on a database of its own."""
        with self.database(scenario.database) as (url, folder):
            restart = self._restart if scenario.restarts else None
            plan = Plan(seed, url, folder, blows, restart=restart, **scenario.options)
            storm = Storm(plan, self.nursery)
            result = storm.run()
        return storm.blows, result

    @contextmanager
    def database(self, kind: str) -> Iterator[tuple[str, Path]]:
        """The URL of an empty database of this kind, and a folder; both are gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="newsletter-chaos-") as folder:
            url = f"sqlite:///{folder}/newsletter.db"
            if kind == POSTGRES:
                url = self.server.url(self.server.fresh_database(self.template))
            yield url, Path(folder)
        if kind == POSTGRES:
            self.server.drop(str(make_url(url).database))

    def _restart(self) -> None:
        self.server.kill()
        self.server.start()


@contextmanager
def arena() -> Iterator[Arena]:
    """Start what storms share."""
    with postgres_server(fsync=True) as server, nursery() as forks:
        template = server.fresh_database()
        open_url(make_url(server.url(template))).close()
        yield Arena(server, template, forks)
