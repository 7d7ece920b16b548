"""Senders are killed at random, again and again, and everything else goes wrong as well.

Afterwards the ledger is held against what a counting receiver wrote down, row by row: nobody is
lost, nobody got it twice, and what is uncertain is at most one for each connection that was cut
off. ``CHAOS_SEED=… make test`` repeats the blows of a seed, though not their moments; `make chaos`
goes on for thousands.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, make_url, select

from newsletter.delivery.ledger.chunks import is_done
from newsletter.delivery.ledger.tables import campaign
from newsletter.store.engine import Store, connect
from tests.acceptance.conftest import GIVE_UP_S, Project
from tests.chaos.audit import audit, number_taken
from tests.chaos.processes import Receiver, receiver
from tests.chaos.scenarios import POSTGRES, SCENARIOS, SQLITE, STOPS, Arena, Scenario, arena
from tests.chaos.sender import CONNECTIONS, TIMEOUT_S
from tests.integration.delivery.campaigns import due_now

BLOWS = 12
COMMAND_KILLS = 4
PEOPLE = 300
SLOW_S = 0.003
SEED = int(os.environ.get("CHAOS_SEED", "1"))


@pytest.fixture(scope="module")
def ground() -> Iterator[Arena]:
    with arena() as found:
        yield found


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_every_row_agrees_with_the_receiver(ground: Arena, scenario: Scenario) -> None:
    print(f"CHAOS_SEED={SEED}")
    blows, result = ground.run(scenario, SEED, BLOWS)
    print(blows, result)
    assert result.wrong == []
    assert blows.kills + blows.stops + blows.restarts + blows.full_disks > 0
    assert result.taken > 0


class Attack:
    """`send.py send --live`, struck by signals and run again until it ends."""

    def __init__(self, project: Project, store: Store, server: Receiver) -> None:
        self._project = project
        self._store = store
        self._chance = random.Random(SEED)
        self._send = ("send", project.issue, "--list", "readers", "--live", "--confirm", PEOPLE)
        rows = "".join(f"reader{n:04}@mail.example,R{n}\n" for n in range(PEOPLE))
        project.csv.write_text(f"email,first_name\n{rows}", encoding="utf-8")
        project.environment.update(
            {
                "NEWSLETTER_TRANSPORT": "smtp",
                "NEWSLETTER_SMTP__PORT": str(server.port),
                "NEWSLETTER_SMTP__SECURITY": "none",
                "NEWSLETTER_SMTP__CONNECTIONS": str(CONNECTIONS),
                "NEWSLETTER_SMTP__TIMEOUT": str(TIMEOUT_S),
                "NEWSLETTER_SMTP__FINAL_TIMEOUT": str(TIMEOUT_S),
                "NEWSLETTER_HOLD__FAILURES": "0",
            }
        )
        project.run("subscribers", "import", project.csv, "--list", "readers")
        project.run("approve", project.issue, "--list", "readers")

    @property
    def campaign_id(self) -> int:
        """The campaign; those that were killed at the question are gone."""
        with self._store.read() as connection:
            return int(connection.execute(select(func.max(campaign.c.id))).scalar() or 0)

    def strike(self, how: signal.Signals) -> bool:
        """Start it, let it get on, and send a signal; whether that came before its end."""
        enough = number_taken(self._project.folder) + self._chance.randrange(1, 50)
        process = self._start()
        while process.poll() is None and number_taken(self._project.folder) < enough:
            self._pass_time()
        struck = process.poll() is None
        process.send_signal(how)
        self._ended(process)
        return struck

    def finish(self) -> None:
        """Run it until nothing is left to be done."""
        while not self._is_done():
            process = self._start()
            while process.poll() is None:
                self._pass_time()
            self._ended(process)

    def _start(self) -> subprocess.Popen[str]:
        return self._project.start(*self._send)

    def _pass_time(self) -> None:
        """Let the minute pass after which what was refused for now is tried again."""
        due_now(self._store)
        time.sleep(0.05)

    def _ended(self, process: subprocess.Popen[str]) -> None:
        said = process.communicate(timeout=GIVE_UP_S)
        assert process.returncode in {0, 1, -signal.SIGKILL}, said
        assert "Traceback" not in said[1], said

    def _is_done(self) -> bool:
        with self._store.read() as connection:
            return is_done(connection, self.campaign_id)


@pytest.fixture(params=[SQLITE, POSTGRES])
def database(request: pytest.FixtureRequest, project: Project, ground: Arena) -> Iterator[Store]:
    url = f"sqlite:///{project.folder}/var/newsletter.db"
    if request.param == POSTGRES:
        url = ground.server.url(ground.server.fresh_database(ground.template))
    project.environment["NEWSLETTER_DATABASE_URL"] = url
    store = connect(make_url(url))
    yield store
    store.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Receiver]:
    print(f"CHAOS_SEED={SEED}")
    with receiver(tmp_path, SEED, "rough", SLOW_S) as found:
        yield found


def test_the_command_is_killed_and_run_again(
    project: Project, database: Store, server: Receiver
) -> None:
    attack = Attack(project, database, server)
    kills = sum(attack.strike(signal.SIGKILL) for _ in range(COMMAND_KILLS))
    attack.finish()
    server.finish()
    most = kills * CONNECTIONS
    result = audit(database, attack.campaign_id, project.folder, most_cut_off=most)
    assert result.wrong == []
    assert (result.audience, result.lost, result.doubled) == (PEOPLE, 0, 0)
    assert kills > 0


@pytest.mark.parametrize("database", [SQLITE], indirect=True)
def test_the_command_drains_when_it_is_stopped(
    project: Project, database: Store, server: Receiver
) -> None:
    attack = Attack(project, database, server)
    stops = sum(attack.strike(how) for how in STOPS)
    attack.finish()
    server.finish()
    result = audit(database, attack.campaign_id, project.folder, most_cut_off=0)
    assert result.wrong == []
    assert stops > 0
