"""What `serve` has promised and not sent, a worker sends."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import make_url, update

from newsletter.queues.tables import outgoing_message
from newsletter.store.engine import connect
from tests.acceptance.conftest import GIVE_UP_S, Project, Relay, until
from tests.support.smtp_server import Fault

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
    with urlopen(request, timeout=GIVE_UP_S) as answer:
        assert answer.url.endswith("/join/sent")


@pytest.fixture
def left(project: Project, relay: Relay) -> None:
    """A confirmation that the relay put off, and whose server was killed."""
    relay.server.faults = [Fault("rcpt", reply="451 4.7.1 later")]
    with serving(project) as (address, process):
        join(address)
        until(lambda: any(verb == "RCPT" for _, verb in relay.server.commands))
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
    until(lambda: relay.recipients)
    worker.send_signal(signal.SIGTERM)
    said = worker.communicate(timeout=GIVE_UP_S)[1]
    assert worker.returncode == 0, said
    assert "Traceback" not in said
    assert relay.recipients == [NEW]


@pytest.mark.usefixtures("left")
def test_a_relay_that_is_away_is_said_and_loses_nothing(project: Project, relay: Relay) -> None:
    away = project.elsewhere(NEWSLETTER_SMTP__PORT="1")
    assert "127.0.0.1" in away.run("worker", "--once", exit_code=1)

    def sent() -> bool:
        # The message waits for a moment: a worker that starts sooner finds nothing due.
        project.run("worker", "--once")
        return bool(relay.recipients)

    until(sent)
    assert relay.recipients == [NEW]


def test_beside_a_worker_each_message_goes_once(project: Project, relay: Relay) -> None:
    worker = project.start("worker")
    with serving(project) as (address, process):
        join(address)
        until(lambda: relay.recipients)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=GIVE_UP_S)[1]
        assert "Traceback" not in said
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=GIVE_UP_S)
    assert relay.recipients == [NEW]
