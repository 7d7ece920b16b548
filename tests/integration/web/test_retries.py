"""A letter that the relay does not take for now is tried again; one that may have gone never is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable

import pytest

from newsletter.audience.address import address_key
from newsletter.database.erasure import erase
from newsletter.transactional import retrying
from newsletter.web.http.rate_limits import LETTER_BY_DAY, mailbox_of, take
from tests.acceptance.conftest import running
from tests.integration.web.conftest import KEYS, PROJECT, Clinic
from tests.integration.web.reader import Reader
from tests.integration.web.test_server import PROGRAM
from tests.smtp_server import Fault, Server

NEW = "new@reader.example"
PATIENT = f"from newsletter.transactional import retrying\nretrying.WAITS_S = (3600.0,)\n{PROGRAM}"
LATER = "451 4.7.1 greylisted, try again later"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "WAITS_S", (0.01, 0.01, 0.01, 0.01))


def relay(*faults: Fault) -> Server:
    return Server(faults=faults)


def tries(reader: Reader) -> int:
    return sum(command == "RCPT" for _, command in reader.server.commands)


def joins(reader: Reader, until: Callable[[], bool]) -> None:
    """Join, and keep the pages' process running until something is so."""
    assert reader.join(NEW).status_code == 303
    reader.wait_for(until)


def may_ask_again(clinic: Clinic) -> bool:
    with clinic.store.write() as connection:
        now = clinic.store.now(connection)
        return not take(connection, LETTER_BY_DAY, mailbox_of(address_key(NEW)), KEYS, now)


@pytest.mark.parametrize("at", ["mail", "rcpt", "data", "dot"])
def test_greylisting_delays_a_confirmation_and_loses_none(clinic: Clinic, at: str) -> None:
    with Reader(clinic, relay(Fault(at, reply=LATER, times=2))) as reader:
        joins(reader, lambda: len(reader.mail) == 1)
        assert "You are on the list" in reader.press(reader.link).text


def test_a_relay_that_is_away_is_waited_for(clinic: Clinic) -> None:
    with Reader(clinic, relay(Fault("connect", reply="421 4.3.2 busy", times=6))) as reader:
        joins(reader, lambda: len(reader.mail) == 1)


def test_the_welcome_is_tried_again_too(clinic: Clinic) -> None:
    with Reader(clinic, relay(Fault("rcpt", reply=LATER, every=2))) as reader:
        reader.join(NEW)
        reader.press(reader.link)
        reader.wait_for(lambda: len(reader.mail) == 2)


def test_after_the_last_try_one_may_ask_again(
    clinic: Clinic, caplog: pytest.LogCaptureFixture
) -> None:
    with Reader(clinic, relay(Fault("rcpt", reply=LATER, times=5))) as reader:
        joins(reader, lambda: "a letter could not be sent" in caplog.text)
        assert tries(reader) == 5
        assert NEW not in caplog.text
        joins(reader, lambda: len(reader.mail) == 1)


def test_while_it_is_being_tried_no_second_one_goes(clinic: Clinic) -> None:
    with Reader(clinic, relay(Fault("rcpt", reply=LATER, times=1))) as reader:
        for _ in range(3):
            reader.join(NEW)
        reader.wait_for(lambda: len(reader.mail) == 1)
        reader.wait(0.2)
        assert len(reader.mail) == 1


@pytest.mark.parametrize(
    ("fault", "again"),
    [
        (Fault("rcpt", reply="550 5.1.1 no such user", times=1), True),
        (Fault("dot", reply="554 5.7.1 refused", times=1), True),
        (Fault("dot", drop="after", times=1), False),
    ],
    ids=["no such user", "refused", "uncertain"],
)
def test_what_was_refused_or_may_have_gone_is_tried_once(
    clinic: Clinic, fault: Fault, again: bool
) -> None:
    with Reader(clinic, relay(fault)) as reader:
        reader.join(NEW)
        reader.wait(0.3)
        assert tries(reader) == 1
        assert may_ask_again(clinic) is again


def test_who_was_erased_meanwhile_gets_nothing(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "WAITS_S", (0.2,))
    with Reader(clinic, relay(Fault("rcpt", reply=LATER, times=1))) as reader:
        reader.join(NEW)
        erase(clinic.store, NEW, KEYS, by="test")
        reader.wait(0.5)
        assert (tries(reader), reader.mail) == (1, [])


def test_past_the_most_a_letter_is_tried_once(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "MOST", 0)
    with Reader(clinic, relay(Fault("rcpt", reply=LATER, times=1))) as reader:
        reader.join(NEW)
        assert may_ask_again(clinic)


def test_the_answer_does_not_wait_for_another_try(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retrying, "WAITS_S", (3600.0,))
    with Reader(clinic, relay(Fault("rcpt", reply=LATER, times=1))) as reader:
        assert reader.join(NEW).status_code == 303
        reader.stop()
        assert "a letter was given up" in caplog.text
        assert may_ask_again(clinic)


def test_a_server_that_is_stopped_gives_up_what_waits(clinic: Clinic) -> None:
    with running(relay(Fault("rcpt", reply=LATER))) as held:
        environment = os.environ | {
            "NEWSLETTER_DATABASE_URL": clinic.settings.database_url,
            "NEWSLETTER_VAR_DIR": str(clinic.settings.var),
            "NEWSLETTER_TRANSPORT": "smtp",
            "NEWSLETTER_SMTP__PORT": str(held.server.port),
            "NEWSLETTER_SMTP__SECURITY": "none",
            "PYTHONPATH": str(PROJECT),
        }
        with subprocess.Popen(
            [sys.executable, "-c", PATIENT],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            url = process.stdout.readline().split()[1]
            form = urllib.parse.urlencode({"email": NEW}).encode()
            headers = {"Sec-Fetch-Site": "same-origin"}
            urllib.request.urlopen(urllib.request.Request(f"{url}join", form, headers), timeout=30)
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=30)[1]
    assert "a letter was given up" in said
    assert "Traceback" not in said
    assert may_ask_again(clinic)
