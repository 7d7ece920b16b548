"""A message is the same over SMTP and over a provider that writes the headers itself."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

import pytest

from newsletter.audience.model import LinkAction
from newsletter.audience.tokens import TokenSigner
from newsletter.delivery.compose.substitutions import Personalize
from newsletter.delivery.compose.transactional import CREATED_AT, TransactionalComposer
from newsletter.delivery.model import Delivery
from newsletter.i18n.catalog import Catalogs
from newsletter.settings.model import Sendgrid
from newsletter.transactional.messages import LINK_TOKEN, WELCOME, Messages
from newsletter.transports.sendgrid.payload import plan_calls
from tests.integration.web.conftest import KEYS, PROJECT, Clinic
from tests.integration.web.reader import joinable, part

TOKEN = "t" * 32
URL = f"https://news.clinic.example/confirm/{TOKEN}"
CREATED = 1_790_000_000.25


def messages(clinic: Clinic, **changes: Any) -> Messages:
    settings = joinable(clinic.settings, **changes)
    languages = Catalogs(PROJECT / "templates" / "locale", "en")
    return Messages(settings, languages, TokenSigner(KEYS))


def delivery(number: int = 1, created_at: float = CREATED) -> Delivery:
    values = {LINK_TOKEN: TOKEN, CREATED_AT: repr(created_at)}
    return Delivery(0, number, 7, "new@reader.example", 0, values)


def opened(composer: TransactionalComposer) -> EmailMessage:
    parser = BytesParser(EmailMessage, policy=policy.default)
    return parser.parsebytes(composer(delivery()).data)


@pytest.mark.parametrize("lang", ["en", "es"])
@pytest.mark.parametrize("action", list(LinkAction))
def test_it_holds_one_link_and_no_other(clinic: Clinic, action: LinkAction, lang: str) -> None:
    composer = messages(clinic).composer(action, lang)
    message = opened(composer)
    html, text = part(message, "html"), part(message, "plain")
    assert re.findall(r'(?:href|src|action)="([^"]+)"', html) == [URL]
    assert re.findall(r"https?://\S+", text) == [URL]
    assert "%(" not in html + text + message["Subject"]
    assert "QZ" not in html + text
    lines = composer(delivery()).data.split(b"\r\n")
    assert all(len(line) <= 78 for line in lines)


def test_a_provider_gets_it_whole(clinic: Clinic) -> None:
    composer = messages(clinic).composer(LinkAction.JOIN, "en")
    assert isinstance(composer, Personalize)
    (call,), refused = plan_calls([delivery()], composer, Sendgrid())
    assert refused == []
    (person,) = call.body["personalizations"]
    assert person["to"] == [{"email": "new@reader.example"}]
    assert person["headers"] == {"Auto-Submitted": "auto-generated"}
    message = opened(composer)
    assert call.body["subject"] == message["Subject"]
    for content, kind in zip(call.body["content"], ("plain", "html"), strict=True):
        text = content["value"]
        for key, value in person["substitutions"].items():
            text = text.replace(key, value)
        assert URL in text
        assert text == part(message, kind).replace("\r\n", "\n")


def test_date_and_message_id_are_those_of_the_request_on_every_try(clinic: Clinic) -> None:
    composer = messages(clinic).composer(LinkAction.JOIN, "en")
    again = messages(clinic).composer(LinkAction.JOIN, "en")
    first, second = (message_from_bytes(one(delivery()).data) for one in (composer, again))
    assert (first["Date"], first["Message-ID"]) == (second["Date"], second["Message-ID"])
    assert first["Date"] == "Mon, 21 Sep 2026 14:13:20 +0000"
    others = {
        message_from_bytes(composer(each).data)["Message-ID"]
        for each in (delivery(2), delivery(1, CREATED + 1), delivery())
    }
    assert len(others) == 3


def test_bounces_go_to_the_plain_address(clinic: Clinic) -> None:
    assert messages(clinic).composer("join", "en")(delivery()).mail_from == "letter@clinic.example"
    address = {"bounce_address": "bounces@bücher.example"}
    sent = messages(clinic, **address).composer("join", "en")(delivery())
    assert sent.mail_from == "bounces@xn--bcher-kva.example"


def test_a_template_that_was_changed_is_read_again(clinic: Clinic, tmp_path: Any) -> None:
    import shutil

    shutil.copytree(PROJECT / "templates", tmp_path / "templates")
    written = messages(clinic, root=tmp_path)
    before = written.composer("join", "en")
    assert written.composer("join", "en") is before
    file = tmp_path / "templates" / "email" / "link.txt"
    file.write_text(file.read_text(encoding="utf-8") + "\nOne line more.\n", encoding="utf-8")
    assert "One line more." in part(opened(written.composer("join", "en")), "plain")


def welcome(clinic: Clinic, lang: str = "en", **changes: Any) -> TransactionalComposer:
    return messages(clinic, **changes).composer(WELCOME, lang, ["sleep"])


def way_out(message: EmailMessage) -> str:
    return message["List-Unsubscribe"].rpartition("/")[2].rstrip(">")


@pytest.mark.parametrize("lang", ["en", "es"])
def test_the_welcome_holds_what_they_joined_and_three_links(clinic: Clinic, lang: str) -> None:
    message = opened(welcome(clinic, lang, archive="public"))
    html, text = part(message, "html"), part(message, "plain")
    base, token = "https://news.clinic.example", way_out(message)
    links = [f"{base}/archive", f"{base}/u/{token}", f"{base}/p/{token}"]
    assert re.findall(r'(?:href|src|action)="([^"]+)"', html) == links
    assert re.findall(r"https?://\S+", text) == links
    title = {"en": "Sleep & <i>rest</i>", "es": "Sueño"}[lang]
    assert title in text
    assert title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in html
    assert "Pain" not in html + text
    assert "Dolor" not in html + text
    for written in (html, text):
        assert "1 Sample Street, Sample Town" in written
        assert "%(" not in written


@pytest.mark.parametrize("archive", ["off", "unlisted"])
def test_the_welcome_does_not_lead_to_an_archive_that_is_not_public(
    clinic: Clinic, archive: str
) -> None:
    message = opened(welcome(clinic, archive=archive))
    assert "/archive" not in part(message, "html") + part(message, "plain")


def test_the_welcome_has_a_way_out_over_smtp_and_sendgrid_alike(clinic: Clinic) -> None:
    composer = welcome(clinic)
    message = opened(composer)
    headers = {
        "List-Unsubscribe": f"<https://news.clinic.example/u/{way_out(message)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Id": "<letter.clinic.example>",
        "Auto-Submitted": "auto-generated",
    }
    assert len(way_out(message)) == 32
    assert {name: message[name] for name in headers} == headers
    (call,), _ = plan_calls([delivery()], composer, Sendgrid())
    assert call.body["personalizations"][0]["headers"] == headers
