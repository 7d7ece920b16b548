"""A letter is the same over SMTP and over a provider that writes the headers itself."""

import re

import pytest

from newsletter.audience import LinkAction
from newsletter.deliver import Delivery
from newsletter.deliver.personal import Personalize
from newsletter.deliver.transports.sendgrid_call import plan_calls
from newsletter.settings import Sendgrid
from newsletter.web.language import LANGUAGES, Languages
from newsletter.web.letters import Letters
from tests.integration.web.conftest import PROJECT, Clinic

URL = "https://news.clinic.example/confirm/" + "x" * 32


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("action", list(LinkAction))
def test_it_holds_one_link_and_no_other(clinic: Clinic, action: LinkAction, lang: str) -> None:
    languages = Languages(PROJECT / "templates" / "locale", "en")
    letter = Letters(clinic.settings, languages).write(action, URL, lang)
    assert re.findall(r'(?:href|src|action)="([^"]+)"', letter.html) == [URL]
    assert re.findall(r"https?://\S+", letter.text) == [URL]
    assert "%(" not in letter.html + letter.text + letter.subject
    message = letter(Delivery(0, 1, 0, "new@reader.example", 0, {}))
    assert all(len(line) <= 78 for line in message.data.split(b"\r\n"))


def test_a_provider_gets_it_whole(clinic: Clinic) -> None:
    languages = Languages(PROJECT / "templates" / "locale", "en")
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
