"""A worker on one machine, with the SQLite file: it is the one process that sends."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import GIVE_UP_S, Project, Relay

READERS = 12


@pytest.fixture
def worker(project: Project, relay: Relay) -> Iterator[subprocess.Popen[str]]:
    """A worker that is ready to send."""
    project.run("approve", project.issue)
    process = project.start("worker")
    assert process.stderr
    assert "Worker on" in process.stderr.readline()
    yield process
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=GIVE_UP_S)
    assert process.returncode == 0, err
    assert "Traceback" not in err


def sending(project: Project) -> tuple[object, ...]:
    return ("send", project.issue, "--csv", project.csv, "--live", "--confirm", READERS)


def test_who_confirms_need_not_stay(project: Project, relay: Relay) -> None:
    project.run("approve", project.issue)
    assert "send.py worker" in project.run(*sending(project), "--detach")
    assert relay.recipients == []
    project.run("worker", "--once")
    assert len(set(relay.recipients)) == len(relay.recipients) == READERS
    assert project.json("status", 1)["state"] == "finished"
    project.run("worker", "--once")
    assert len(relay.recipients) == READERS


def test_nothing_is_detached_that_is_not_live(project: Project) -> None:
    project.run("send", project.issue, "--csv", project.csv, "--detach", exit_code=2)


def test_a_send_beside_a_worker_looks_on_until_all_is_sent(
    project: Project, relay: Relay, worker: subprocess.Popen[str]
) -> None:
    status = project.json(*sending(project))
    assert status["accepted"] == READERS
    assert len(set(relay.recipients)) == len(relay.recipients) == READERS


def test_one_process_sends_from_a_sqlite_database(
    project: Project, worker: subprocess.Popen[str]
) -> None:
    assert "another process is sending" in project.run("worker", "--once", exit_code=1)


def test_a_worker_outlasts_a_relay_that_is_away(project: Project, relay: Relay) -> None:
    project.run("approve", project.issue)
    project.run(*sending(project), "--detach")
    away = project.elsewhere(NEWSLETTER_SMTP__PORT="1")
    assert "127.0.0.1" in away.run("worker", "--once", exit_code=1)
    assert project.json("status", 1)["queued"] == READERS
    project.run("worker", "--once")
    assert len(set(relay.recipients)) == READERS
