"""Who was answered gets their mail, whatever the relay does; what never left shuts nobody out."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from newsletter.audience.address import address_hash, address_key
from newsletter.audience.model import SuppressionReason
from newsletter.audience.suppression import suppress
from newsletter.database.erasure import erase
from newsletter.queues.tables import outgoing_message
from newsletter.transactional import drain, settlement
from newsletter.transactional.limits import CONFIRMATIONS, mailbox_of, take_all
from tests.integration.web.conftest import KEYS, PROJECT, Clinic
from tests.integration.web.reader import Reader
from tests.smtp_server import Fault, Server

NEW = "new@reader.example"
LATER = "451 4.7.1 greylisted, try again later"
HOURS_S = (3600.0,)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlement, "WAITS_S", (0.01, 0.01, 0.01, 0.01))
    monkeypatch.setattr(settlement, "LONGEST_WAIT_S", 0.01)
    monkeypatch.setattr(settlement, "UNANSWERED_WAIT_S", 0.01)
    monkeypatch.setattr(drain, "RELAY_WAITS_S", (0.01,))


def relay(*faults: Fault) -> Server:
    return Server(faults=faults)


def tries(reader: Reader) -> int:
    return sum(command == "RCPT" for _, command in reader.server.commands)


def rows(clinic: Clinic) -> list[Any]:
    with clinic.store.read() as connection:
        return list(connection.execute(select(outgoing_message)))


def change(clinic: Clinic, **values: Any) -> None:
    with clinic.store.write() as connection:
        connection.execute(update(outgoing_message).values(**values))


def joins(reader: Reader, until: Callable[[], bool]) -> None:
    """Join, and keep the pages' process running until something is so."""
    reader.start()
    assert reader.join(NEW).status_code == 303
    reader.wait_for(until)


def may_ask_again(clinic: Clinic) -> bool:
    with clinic.store.write() as connection:
        now = clinic.store.now(connection)
        return take_all(connection, CONFIRMATIONS, mailbox_of(address_key(NEW)), KEYS, now)


@pytest.mark.parametrize("at", ["mail", "rcpt", "data", "dot"])
def test_greylisting_delays_a_confirmation_and_loses_none(clinic: Clinic, at: str) -> None:
    with Reader(clinic, relay(Fault(at, reply=LATER, times=6))) as reader:
        joins(reader, lambda: len(reader.mail) == 1)
        assert "You are on the list" in reader.press(reader.link).text


def test_a_relay_that_is_away_is_waited_for(clinic: Clinic) -> None:
    with Reader(clinic, relay(Fault("connect", reply="421 4.3.2 busy", times=6))) as reader:
        joins(reader, lambda: len(reader.mail) == 1)
        assert not may_ask_again(clinic)


def test_the_welcome_is_tried_again_too(clinic: Clinic) -> None:
    with Reader(clinic, relay(Fault("rcpt", reply=LATER, every=2))) as reader:
        reader.join(NEW)
        reader.start()
        reader.press(reader.link)
        reader.wait_for(lambda: len(reader.mail) == 2)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("rcpt", reply="550 5.1.1 no such user new@reader.example", times=1),
        Fault("dot", reply="554 5.7.1 refused", times=1),
    ],
    ids=["no such user", "refused"],
)
def test_what_was_refused_is_given_up_and_may_be_asked_for_again(
    clinic: Clinic, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    with Reader(clinic, relay(fault)) as reader:
        reader.join(NEW)
        assert tries(reader) == 1
        (row,) = rows(clinic)
        assert (row.state, row.kind, row.code) == ("failed", "join", int(fault.reply[:3]))
        assert row.status == fault.reply.split()[1]
        assert (row.email, row.email_key, row.details, row.link_id) == ("", "", {}, 0)
        assert "gave up on a message" in caplog.text
        assert NEW not in caplog.text
        reader.join(NEW)
        assert len(reader.mail) == 1


def test_what_was_not_taken_within_its_link_s_lifetime_is_given_up(clinic: Clinic) -> None:
    with Reader(clinic, relay(Fault("rcpt", reply=LATER))) as reader:
        reader.join(NEW)
        change(clinic, due_at=1.0, expires_at=time.time() - 1.0)
        reader.get("/join")
        assert [row.state for row in rows(clinic)] == ["failed"]
        assert may_ask_again(clinic)


def test_the_record_of_a_failure_is_forgotten_after_a_month(clinic: Clinic) -> None:
    refused = Fault("rcpt", reply="550 5.1.1 no such user", times=1)
    with Reader(clinic, relay(refused)) as reader:
        reader.join(NEW)
        change(clinic, expires_at=1.0)
        reader.join("other@reader.example")
        assert rows(clinic) == []


def test_a_link_of_one_s_own_that_was_refused_does_not_count_either(clinic: Clinic) -> None:
    with Reader(clinic, relay(Fault("rcpt", reply="550 5.7.1 no", times=3))) as reader:
        path = f"/p/{clinic.token()}"
        for _ in range(4):
            assert reader.press(path, {"do": "data"}).status_code == 303
        assert len(reader.mail) == 1


def test_while_it_is_being_tried_no_second_one_goes(clinic: Clinic) -> None:
    with Reader(clinic, relay(Fault("rcpt", reply=LATER, times=3))) as reader:
        reader.start()
        for _ in range(3):
            reader.join(NEW)
        reader.wait_for(lambda: not rows(clinic))
        assert len(reader.mail) == 1


def test_what_may_have_gone_is_sent_again_as_the_same_message(clinic: Clinic) -> None:
    with Reader(clinic, relay(Fault("dot", drop="after", times=1))) as reader:
        joins(reader, lambda: not rows(clinic))
        first, second = reader.mail
        assert first["Message-ID"] == second["Message-ID"]
        assert not may_ask_again(clinic)


def test_what_the_relay_never_took_is_sent_again(clinic: Clinic) -> None:
    with Reader(clinic, relay(Fault("dot", drop="before", times=2))) as reader:
        joins(reader, lambda: not rows(clinic))
        assert len(reader.mail) == 1


def test_a_relay_that_takes_mail_and_never_says_so_floods_nobody(clinic: Clinic) -> None:
    with Reader(clinic, relay(Fault("dot", drop="after"))) as reader:
        joins(reader, lambda: [row.state for row in rows(clinic)] == ["failed"])
        assert len(reader.mail) == settlement.MOST_UNANSWERED
        assert len({message["Message-ID"] for message in reader.mail}) == 1
        assert not may_ask_again(clinic)


def test_who_has_pressed_the_button_meanwhile_gets_no_second_one(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "UNANSWERED_WAIT_S", 3600.0)
    with Reader(clinic, relay(Fault("dot", drop="after", times=1))) as reader:
        reader.join(NEW)
        assert "You are on the list" in reader.press(reader.link).text
        change(clinic, due_at=1.0)
        reader.get("/join")
        assert [message["Subject"].partition(":")[0] for message in reader.mail] == [
            "Please confirm",
            "You are on the list",
        ]
        assert rows(clinic) == []


def test_who_was_erased_meanwhile_gets_nothing(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "WAITS_S", HOURS_S)
    with Reader(clinic, relay(Fault("rcpt", reply=LATER, times=1))) as reader:
        reader.join(NEW)
        assert erase(clinic.store, NEW, KEYS, by="test")
        assert rows(clinic) == []
        reader.get("/join")
        assert (tries(reader), reader.mail) == (1, [])


def test_erasing_takes_what_waits_for_a_subscriber_too(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "WAITS_S", HOURS_S)
    with Reader(clinic, relay(Fault("rcpt", reply=LATER, every=2))) as reader:
        reader.press(f"/p/{clinic.token()}", {"do": "move"})
        reader.press(reader.link, {"email": NEW})
        assert [row.email for row in rows(clinic)] == [NEW]
        erase(clinic.store, "maria@reader.example", KEYS, by="test")
        assert rows(clinic) == []


def test_who_complains_before_the_next_try_gets_nothing(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "WAITS_S", HOURS_S)
    with Reader(clinic, relay(Fault("rcpt", reply=LATER, times=1))) as reader:
        reader.join(NEW)
        with clinic.store.write() as connection:
            hashed = address_hash(NEW, KEYS)
            suppress(connection, hashed, SuppressionReason.COMPLAINED, "test", 1.0)
        change(clinic, due_at=1.0)
        reader.get("/join")
        assert (tries(reader), reader.mail, rows(clinic)) == (1, [], [])


def test_who_leaves_before_the_welcome_goes_gets_none(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "WAITS_S", HOURS_S)
    with Reader(clinic, relay(Fault("rcpt", reply=LATER, every=2))) as reader:
        reader.join(NEW)
        done = reader.press(reader.link).text
        token = done.partition('href="/p/')[2].partition('"')[0]
        reader.ask("POST", f"/u/{token}")
        change(clinic, due_at=1.0)
        reader.get("/join")
        assert (len(reader.mail), rows(clinic)) == (1, [])


def test_what_waits_when_the_server_stops_is_sent_by_the_next_one(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "WAITS_S", HOURS_S)
    with Reader(clinic, relay(Fault("rcpt", reply=LATER, times=1))) as reader:
        joins(reader, lambda: tries(reader) == 1)
        reader.stop()
        (row,) = rows(clinic)
        assert (row.state, row.tries, row.lease_until) == ("waiting", 1, 0.0)
        assert not may_ask_again(clinic)
        change(clinic, due_at=1.0)
        reader.start()
        reader.wait_for(lambda: len(reader.mail) == 1)


def test_what_is_on_its_way_when_the_server_stops_gets_its_reply(clinic: Clinic) -> None:
    with Reader(clinic, relay(Fault("dot", delay=0.5))) as reader:
        joins(reader, lambda: len(reader.mail) == 1)
        reader.stop()
        assert rows(clinic) == []


def test_a_clock_that_was_set_back_makes_nobody_wait(clinic: Clinic) -> None:
    with Reader(clinic, relay(Fault("rcpt", reply=LATER, times=1))) as reader:
        reader.join(NEW)
        change(clinic, due_at=4e9)
        reader.start()
        reader.wait_for(lambda: len(reader.mail) == 1)


def test_pages_do_not_wait_for_a_relay_that_says_nothing(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer would take an hour."""
    monkeypatch.setattr(drain, "STOP_S", 0.1)
    with Reader(clinic, relay(Fault("dot", delay=3600.0))) as reader:
        reader.start()
        for number in range(20):
            answer = reader.join(f"r{number}@reader.example", ip=f"192.0.2.{number}")
            assert answer.status_code == 303
        reader.wait_for(lambda: bool(reader.mail))
        assert reader.get("/join").status_code == 200
        states = Counter(row.state for row in rows(clinic))
        assert states == {"sending": drain.AT_ONCE, "waiting": 20 - drain.AT_ONCE}


def test_a_trial_that_only_writes_files_leaves_real_mail_alone(clinic: Clinic) -> None:
    with Reader(clinic, relay(Fault("rcpt", reply=LATER, times=1))) as reader:
        reader.join(NEW)
        with Reader(clinic, transport="outbox") as trial:
            trial.join("trial@reader.example")
            trial.get("/join")
        assert len(list((clinic.settings.var / "outbox" / "letters").glob("*.eml"))) == 1
        reader.start()
        reader.wait_for(lambda: len(reader.mail) == 1)
        assert reader.mail[0]["To"] == NEW


def test_a_template_that_is_wrong_delays_mail_until_it_is_fixed(
    clinic: Clinic, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(PROJECT / "templates", tmp_path / "templates")
    file = tmp_path / "templates" / "email" / "welcome.txt"
    good = file.read_text(encoding="utf-8")
    with Reader(clinic, root=tmp_path) as reader:
        reader.join(NEW)
        file.write_text("{{ nothing }}", encoding="utf-8")
        reader.start()
        reader.press(reader.link)
        reader.wait_for(lambda: "a message cannot be sent: 'nothing' is undefined" in caplog.text)
        file.write_text(good, encoding="utf-8")
        reader.wait_for(lambda: len(reader.mail) == 2)


def test_a_message_of_a_newer_program_s_kind_is_left_to_it_and_holds_up_nobody(
    clinic: Clinic,
) -> None:
    strange = {"kind": "invoice", "state": "waiting", "transport": "smtp", "email": NEW}
    times = {"created_at": 1.0, "expires_at": 4e9, "due_at": 1.0}
    with clinic.store.write() as connection:
        connection.execute(
            insert(outgoing_message).values(**strange, **times, email_key=NEW, language="en")
        )
    with Reader(clinic) as reader:
        reader.join(NEW)
        assert len(reader.mail) == 1
        assert [(row.kind, row.state) for row in rows(clinic)] == [("invoice", "waiting")]
