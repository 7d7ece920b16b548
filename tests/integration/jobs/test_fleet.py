"""Several `send.py worker` processes on PostgreSQL, and what can happen to them."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update

from newsletter.delivery.ledger.outcomes import under_way
from newsletter.delivery.ledger.tables import campaign, chunk
from tests.support.fleet import CONNECTIONS, Fleet, fleet, kill_at_random
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.receiver import Receiver, receiving

RECIPIENTS = 900
CHUNK = 100
SLOW_S = 0.01
"""Seconds the receiver takes per message: long enough to be disturbed meanwhile."""
IN_A_TRANSACTION = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND state = 'idle in transaction'"
)
"""A worker frozen in a transaction keeps its locks, and the test would wait for them."""


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path / "received", SLOW_S) as found:
        yield found


@pytest.fixture(scope="module")
def begun(
    tmp_path_factory: pytest.TempPathFactory, postgres_session: PostgresServer, migrated: str
) -> str:
    """The name of a database with a campaign that is about to send: copied by tests."""
    name = postgres_session.fresh_database(migrated)
    nobody = Receiver(1, Path())
    folder = tmp_path_factory.mktemp("begun")
    with fleet(folder, postgres_session.url(name), nobody) as made:
        made.begin(RECIPIENTS, chunk_size=CHUNK)
    return name


@pytest.fixture
def ships(
    tmp_path: Path, receiver: Receiver, postgres_session: PostgresServer, begun: str
) -> Iterator[Fleet]:
    name = postgres_session.fresh_database(begun)
    with fleet(tmp_path, postgres_session.url(name), receiver) as made:
        made.people = RECIPIENTS
        yield made
    postgres_session.drop(name)


def test_three_workers_mail_everyone_once(ships: Fleet) -> None:
    for name in "abc":
        ships.start(name)
    ships.until_finished()
    ships.stop()
    ships.check()
    assert ships.logs().count("is finished") == 1


def test_killed_workers_skip_nobody_and_mail_nobody_twice(ships: Fleet) -> None:
    for name in "abc":
        ships.start(name)
    kills = kill_at_random(ships, 4, seed=1)
    ships.until_finished()
    ships.stop()
    assert kills >= 2
    ships.check(kills=kills)


def _many_are_under_way(ships: Fleet) -> bool:
    """Whether many deliveries were offered and have no outcome yet."""
    with ships.store() as store, store.read() as connection:
        return under_way(connection, 1) > CHUNK // 2


def test_the_journal_of_a_killed_worker_counts_after_its_lease_was_lost(ships: Fleet) -> None:
    ships.start("a")
    ships.until(lambda: _many_are_under_way(ships))
    ships.kill("a")
    with ships.store() as store, store.write() as connection:
        connection.execute(update(chunk).where(chunk.c.state == "leased").values(lease_until=0))
    ships.start("b")
    ships.until_finished()
    without_it = ships.status().tally.uncertain
    assert without_it > CONNECTIONS
    ships.start("a")
    journals = ships.folder / "var-a" / "journal"
    ships.until(lambda: ships.status().tally.uncertain <= CONNECTIONS)
    ships.until_finished()
    ships.stop()
    ships.check(kills=1)
    assert list(journals.iterdir()) == []


def _froze_while_sending(ships: Fleet, worker: subprocess.Popen[bytes]) -> bool:
    """Freeze a worker; let it continue unless it had deliveries under way."""
    worker.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    begun = chunk.c.offered - chunk.c.first + 1
    with ships.store() as store, store.read() as connection:
        offered = connection.execute(select(func.sum(begun))).scalar_one()
        locks = connection.execute(IN_A_TRANSACTION).scalar_one()
    if len(ships.receiver.recipients) < offered and not locks:
        return True
    worker.send_signal(signal.SIGCONT)
    return False


def test_a_froze_while_sendingn_worker_sends_what_it_offered_and_nothing_more(ships: Fleet) -> None:
    frozen = ships.start("a")
    ships.until(lambda: _froze_while_sending(ships, frozen))
    with ships.store() as store, store.write() as connection:
        connection.execute(update(chunk).where(chunk.c.state == "leased").values(lease_until=0))
    ships.start("b")
    ships.until_finished()
    before = len(ships.receiver.recipients)
    assert before < RECIPIENTS
    half = ships.status().tally
    assert half.uncertain == RECIPIENTS - half.accepted > 0
    frozen.send_signal(signal.SIGCONT)
    ships.until(lambda: ships.status().tally.accepted == RECIPIENTS)
    ships.stop()
    ships.check()
    assert len(ships.receiver.recipients) == RECIPIENTS


def test_the_whole_queue_may_be_lost(ships: Fleet) -> None:
    ships.start("a")
    ships.start("b")
    ships.until_received(200)
    with ships.store() as store, store.write() as connection:
        connection.execute(text("DROP SCHEMA newsletter_engine CASCADE"))
    ships.until_finished()
    ships.stop()
    ships.check()


def test_the_database_may_break_down(tmp_path: Path, receiver: Receiver) -> None:
    with postgres_server(fsync=True) as server:
        url = server.url(server.fresh_database())
        with fleet(tmp_path, url, receiver) as ships:
            ships.begin(RECIPIENTS, chunk_size=CHUNK)
            ships.start("a")
            ships.start("b")
            ships.until_received(200)
            server.kill()
            server.start()
            ships.until_finished()
            ships.stop()
            ships.check()


def test_a_stopped_worker_leaves_nothing_uncertain(ships: Fleet) -> None:
    ships.start("a")
    ships.until_received(100)
    ships.stop()
    half = ships.status().tally
    assert half.uncertain == 0
    assert 100 <= half.accepted == len(ships.receiver.recipients) < RECIPIENTS
    assert half.accepted + half.queued == RECIPIENTS
    ships.run("worker", "--once")
    ships.check()
    assert ships.status().state == "finished"


def test_a_foreground_send_ends_when_workers_have_sent_the_rest(ships: Fleet) -> None:
    ships.start("a")
    ships.until_received(50)
    said = ships.run("send", "issues/neck-muscles-and-migraine.md", "--list", "many", "--live")
    assert "(finished)" in said
    ships.stop()
    ships.check()


def test_a_worker_with_other_keys_refuses(ships: Fleet) -> None:
    other = "another key that is long enough to be one, and not the same"
    said = ships.run("worker", "--once", exit_code=1, NEWSLETTER_SECRET_KEY=other)
    assert "signed with another key" in said
    said = ships.run("worker", "--once", exit_code=1, NEWSLETTER_SUPPRESSION_KEY=other)
    assert "another suppression key" in said
    assert ships.receiver.recipients == []

    old = f'["{ships.command()[1]["NEWSLETTER_SECRET_KEY"]}"]'
    rotated = {"NEWSLETTER_SECRET_KEY": other, "NEWSLETTER_OLD_SECRET_KEYS": old}
    ships.run("worker", "--once", **rotated)
    ships.check()
    said = ships.run("worker", "--once", exit_code=1)
    assert "signed with another key" in said


def test_a_worker_that_cannot_send_leaves_its_chunks_to_others(ships: Fleet) -> None:
    unreadable = {"DOMAIN": "clinic.example", "SELECTOR": "s", "KEY_FILE": "not-there.pem"}
    dkim = {f"NEWSLETTER_DKIM__{name}": value for name, value in unreadable.items()}
    assert "DKIM key" in ships.run("worker", "--once", exit_code=1, **dkim)
    (ships.folder / "var-desk" / "journal").touch()
    assert "journal" in ships.run("worker", "--once", exit_code=1)
    with ships.store() as store, store.read() as connection:
        assert set(connection.execute(select(chunk.c.state)).scalars()) == {"ready"}


def test_a_worker_in_a_sandbox_counts_nobody_as_mailed(ships: Fleet) -> None:
    with ships.store() as store, store.write() as connection:
        connection.execute(update(campaign).values(transport="sendgrid"))
    sandbox = {
        "NEWSLETTER_TRANSPORT": "sendgrid",
        "NEWSLETTER_SENDGRID__SANDBOX": "true",
        "SENDGRID_API_KEY": "SG.none",
    }
    assert "nobody would receive the mail" in ships.run("worker", "--once", exit_code=1, **sandbox)
    assert ships.status().tally.queued == RECIPIENTS


def test_a_worker_leaves_other_transports_to_others(ships: Fleet) -> None:
    ships.run("worker", "--once", NEWSLETTER_TRANSPORT="file")
    assert ships.status().tally.queued == RECIPIENTS
    ships.run("worker", "--once")
    ships.check()
