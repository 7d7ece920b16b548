"""What `serve` has promised and not sent, a worker sends."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import make_url, update

from newsletter.queues.tables import outgoing_message
from newsletter.store.engine import connect
from tests.acceptance.conftest import Project, Relay
from tests.smtp_server import Fault

NEW = "new@reader.example"


@contextmanager
def serving(project: Project) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`send.py serve`: its address, and the process."""
    process = project.start("serve", "--port", "0")
    assert process.stdout
    try:
        yield process.stdout.readline().split()[1], process
    finally:
        process.kill()
        process.communicate()


def join(address: str) -> None:
    form = urlencode({"email": NEW, "topic": "readers"}).encode()
    request = Request(f"{address}join", form, {"Sec-Fetch-Site": "same-origin"})
    with urlopen(request, timeout=60) as answer:
        assert answer.url.endswith("/join/sent")


def wait_for_mail(relay: Relay) -> None:
    give_up = time.monotonic() + 60
    while not relay.recipients:
        assert time.monotonic() < give_up, "nothing was mailed"
        time.sleep(0.02)


@pytest.fixture
def left(project: Project, relay: Relay) -> None:
    """A confirmation that the relay put off, and whose server was killed."""
    relay.server.faults = [Fault("rcpt", reply="451 4.7.1 later")]
    with serving(project) as (address, process):
        join(address)
        give_up = time.monotonic() + 60
        while not any(verb == "RCPT" for _, verb in relay.server.commands):
            assert time.monotonic() < give_up, "nothing was tried"
            time.sleep(0.02)
        process.kill()
        process.wait()
    relay.server.faults = []
    store = connect(make_url(f"sqlite:///{project.folder / 'var' / 'newsletter.db'}"))
    with store.write() as connection:
        connection.execute(update(outgoing_message).values(due_at=1.0))
    store.close()


@pytest.mark.usefixtures("left")
def test_once_sends_what_is_due(project: Project, relay: Relay) -> None:
    project.run("worker", "--once")
    assert relay.recipients == [NEW]
    project.run("worker", "--once")
    assert relay.recipients == [NEW]


@pytest.mark.usefixtures("left")
def test_a_worker_sends_it_and_ends_when_it_is_told_to(project: Project, relay: Relay) -> None:
    worker = project.start("worker")
    wait_for_mail(relay)
    worker.send_signal(signal.SIGTERM)
    said = worker.communicate(timeout=60)[1]
    assert worker.returncode == 0, said
    assert "Traceback" not in said
    assert relay.recipients == [NEW]


@pytest.mark.usefixtures("left")
def test_a_relay_that_is_away_is_said_and_loses_nothing(project: Project, relay: Relay) -> None:
    away = Project(project.folder, {**project.environment, "NEWSLETTER_SMTP__PORT": "1"})
    assert "127.0.0.1" in away.run("worker", "--once", exit_code=1)
    project.run("worker", "--once")
    assert relay.recipients == [NEW]


def test_beside_a_worker_each_message_goes_once(project: Project, relay: Relay) -> None:
    worker = project.start("worker")
    with serving(project) as (address, process):
        join(address)
        wait_for_mail(relay)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
        assert "Traceback" not in said
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=60)
    assert relay.recipients == [NEW]
