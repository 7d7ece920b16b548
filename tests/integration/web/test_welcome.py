"""The letter to who has just joined, over a real SMTP server."""

import re
from collections.abc import Iterator

import pytest

from newsletter.audience.model import SuppressionReason
from newsletter.audience.subscribers import find
from newsletter.audience.suppression import suppress
from newsletter.settings.model import Join
from tests.integration.web.conftest import Clinic
from tests.integration.web.reader import TOPICS, Reader, part
from tests.support.smtp_server import Fault, Server

NEW = "new@reader.example"
KNOWN = "maria@reader.example"


@pytest.fixture
def reader(clinic: Clinic) -> Iterator[Reader]:
    with Reader(clinic) as opened:
        yield opened


def subjects(reader: Reader) -> list[str]:
    return [str(message["Subject"]).partition(":")[0] for message in reader.mail]


def suppress_known(clinic: Clinic, reason: SuppressionReason) -> None:
    with clinic.store.write() as connection:
        person = find(connection, KNOWN)
        suppress(connection, person.address_hash, reason, "test", 1.0)


def test_who_joins_is_told_what_they_get(reader: Reader) -> None:
    reader.join(NEW, "sleep")
    assert subjects(reader) == ["Please confirm"]
    reader.press(reader.link)
    assert subjects(reader) == ["Please confirm", "You are on the list"]
    message = reader.mail[-1]
    assert message["To"] == NEW
    assert "Sleep & <i>rest</i>" in part(message, "plain")
    assert "Pain" not in part(message, "plain")
    assert reader.server.violations == []


def test_its_links_are_live(clinic: Clinic, reader: Reader) -> None:
    reader.join(NEW, "pain")
    reader.press(reader.link)
    message = reader.mail[-1]
    leave = re.fullmatch(
        r"<https://news\.clinic\.example(/u/[A-Za-z0-9_-]{32})>", message["List-Unsubscribe"]
    )
    assert leave
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert leave[1] in part(message, "html")
    assert "Choose what you get" in reader.get(leave[1].replace("/u/", "/p/")).text
    body = {"List-Unsubscribe": "One-Click"}
    assert reader.ask("POST", leave[1], data=body).text == "You are unsubscribed.\n"


def test_it_speaks_the_language_of_the_form(reader: Reader) -> None:
    reader.join(NEW, "sleep", headers={"Accept-Language": "es"})
    reader.press(reader.link)
    assert "Sueño" in part(reader.mail[-1], "plain")
    assert 'lang="es"' in part(reader.mail[-1], "html")


def test_a_second_press_sends_no_second_one(reader: Reader) -> None:
    reader.join(NEW)
    for _ in range(3):
        reader.press(reader.link)
    assert len(reader.mail) == 2


def test_who_is_on_the_list_already_gets_none(reader: Reader) -> None:
    reader.join(KNOWN, "pain", "sleep")
    reader.press(reader.link)
    assert subjects(reader) == ["Please confirm"]


def test_who_comes_back_gets_one(clinic: Clinic, reader: Reader) -> None:
    reader.ask("POST", f"/u/{clinic.token()}")
    reader.join(KNOWN, "pain")
    reader.press(reader.link)
    assert subjects(reader) == ["Please confirm", "You are on the list"]


@pytest.mark.parametrize("reason", [r for r in SuppressionReason if r != "unsubscribed"])
def test_no_mail_goes_to_who_must_not_be_written_to(
    clinic: Clinic, reader: Reader, reason: SuppressionReason
) -> None:
    reader.join(KNOWN)
    suppress_known(clinic, reason)
    reader.press(reader.link)
    assert subjects(reader) == ["Please confirm"]


def test_it_can_be_switched_off(clinic: Clinic) -> None:
    with Reader(clinic, join=Join(topics=TOPICS, welcome=False)) as reader:
        reader.join(NEW)
        assert "You are on the list" in reader.press(reader.link).text
        assert len(reader.mail) == 1


def test_who_joins_is_on_the_list_though_it_cannot_be_sent(clinic: Clinic) -> None:
    server = Server(faults=[Fault("rcpt", reply="550 5.7.1 no", every=2)])
    with Reader(clinic, server) as reader:
        reader.join(NEW)
        assert "You are on the list" in reader.press(reader.link).text
        assert len(reader.mail) == 1
        assert "You are on the list" in reader.press(reader.link).text
