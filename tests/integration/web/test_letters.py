"""A letter is the same over SMTP and over a provider that writes the headers itself."""

import re
from email import message_from_bytes
from typing import Any

import pytest

from newsletter.audience.model import LinkAction
from newsletter.delivery.compose.substitutions import Personalize
from newsletter.delivery.model import Delivery
from newsletter.i18n.catalog import Catalogs
from newsletter.settings.model import Sendgrid
from newsletter.transactional.letters import Letter, Letters
from newsletter.transports.sendgrid.payload import plan_calls
from tests.integration.web.conftest import PROJECT, Clinic
from tests.integration.web.reader import joinable

TOKEN = "t" * 32
URL = "https://news.clinic.example/confirm/" + "x" * 32


@pytest.mark.parametrize("lang", ["en", "es"])
@pytest.mark.parametrize("action", list(LinkAction))
def test_it_holds_one_link_and_no_other(clinic: Clinic, action: LinkAction, lang: str) -> None:
    languages = Catalogs(PROJECT / "templates" / "locale", "en")
    letter = Letters(clinic.settings, languages).write(action, URL, lang)
    assert re.findall(r'(?:href|src|action)="([^"]+)"', letter.html) == [URL]
    assert re.findall(r"https?://\S+", letter.text) == [URL]
    assert "%(" not in letter.html + letter.text + letter.subject
    message = letter(Delivery(0, 1, 0, "new@reader.example", 0, {}))
    assert all(len(line) <= 78 for line in message.data.split(b"\r\n"))


def test_a_provider_gets_it_whole(clinic: Clinic) -> None:
    languages = Catalogs(PROJECT / "templates" / "locale", "en")
    letter = Letters(clinic.settings, languages).write(LinkAction.JOIN, URL, "en")
    assert isinstance(letter, Personalize)
    delivery = Delivery(0, 1, 0, "new@reader.example", 0, {})
    (call,), refused = plan_calls([delivery], letter, Sendgrid())
    assert refused == []
    (person,) = call.body["personalizations"]
    assert person["to"] == [{"email": "new@reader.example"}]
    assert person["headers"] == {"Auto-Submitted": "auto-generated"}
    assert call.body["subject"] == letter.subject
    assert URL in call.body["content"][0]["value"]


def welcome(clinic: Clinic, lang: str = "en", **changes: Any) -> Letter:
    settings = joinable(clinic.settings, **changes)
    languages = Catalogs(PROJECT / "templates" / "locale", "en")
    return Letters(settings, languages).write_welcome(["sleep"], TOKEN, lang)


@pytest.mark.parametrize("lang", ["en", "es"])
def test_the_welcome_holds_what_they_joined_and_three_links(clinic: Clinic, lang: str) -> None:
    letter = welcome(clinic, lang, archive="public")
    base = "https://news.clinic.example"
    links = [f"{base}/archive", f"{base}/u/{TOKEN}", f"{base}/p/{TOKEN}"]
    assert re.findall(r'(?:href|src|action)="([^"]+)"', letter.html) == links
    assert re.findall(r"https?://\S+", letter.text) == links
    title = {"en": "Sleep & <i>rest</i>", "es": "Sueño"}[lang]
    assert title in letter.text
    assert title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in letter.html
    assert "Pain" not in letter.html + letter.text
    assert "Dolor" not in letter.html + letter.text
    for written in (letter.html, letter.text):
        assert "1 Sample Street, Sample Town" in written
        assert "%(" not in written


@pytest.mark.parametrize("archive", ["off", "unlisted"])
def test_the_welcome_does_not_lead_to_an_archive_that_is_not_public(
    clinic: Clinic, archive: str
) -> None:
    letter = welcome(clinic, archive=archive)
    assert "/archive" not in letter.html + letter.text


def test_the_welcome_has_a_way_out_over_smtp_and_sendgrid_alike(clinic: Clinic) -> None:
    letter = welcome(clinic)
    delivery = Delivery(0, 1, 0, "new@reader.example", 0, {})
    message = message_from_bytes(letter(delivery).data)
    headers = {
        "List-Unsubscribe": f"<https://news.clinic.example/u/{TOKEN}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Id": "<letter.clinic.example>",
        "Auto-Submitted": "auto-generated",
    }
    assert {name: message[name] for name in headers} == headers
    (call,), _ = plan_calls([delivery], letter, Sendgrid())
    assert call.body["personalizations"][0]["headers"] == headers
