"""The demonstration's page: every message that arrived can be opened."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from newsletter.studio.demo import Demo, DemoStep, demo_app
from tests.integration.web.conftest import Browser, Clinic
from tests.integration.web.samples import BLOCKER, NOTE, save_picture


@pytest.fixture
def demo(clinic: Clinic, tmp_path: Path) -> Demo:
    media, mailbox = tmp_path / "media", tmp_path / "mailbox"
    media.mkdir()
    mailbox.mkdir()
    picture = save_picture(media)
    name = f"{picture.sha256}.png"
    picture.path.rename(media / name)
    html = f'<p>Hello Maria</p><img src="https://news.clinic.example/media/{name}" alt="">'
    message = EmailMessage()
    message["To"] = "maria@reader.example"
    message["Subject"] = "About your <neck>"
    message.set_content("Dear Maria")
    message.add_alternative(html, subtype="html")
    (mailbox / "0001.eml").write_bytes(message.as_bytes())
    (mailbox / "0002.eml").write_bytes(b"\xff no mail at all")
    steps = [DemoStep("Sent", "1 of 1")]
    return Demo("It went through", steps, html, [NOTE, BLOCKER], mailbox, media, {"Mail": mailbox})


@pytest.fixture
def browser(clinic: Clinic, demo: Demo):
    with Browser(demo_app(clinic.settings, demo), "127.0.0.1:8027") as browser:
        yield browser


def test_the_page_tells_what_happened_and_where_it_lies(browser: Browser, demo: Demo) -> None:
    page = browser.get("/").text
    assert "1 of 1" in page
    assert "2 messages" in page
    assert str(demo.mailbox) in page
    assert page.count("<iframe sandbox ") == 2


def test_a_message_opens_with_headers_text_and_framed_html(browser: Browser) -> None:
    page = browser.get("/received/0001.eml").text
    assert "About your &lt;neck&gt;" in page
    assert "Dear Maria" in page
    assert "Hello Maria" not in page
    frame = browser.get("/received/0001.eml/mail")
    assert frame.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    picture = frame.text.split('src="')[1].split('"')[0]
    assert browser.get(picture).status_code == 200


def test_a_file_that_is_no_message_opens_all_the_same(browser: Browser) -> None:
    assert browser.get("/received/0002.eml").status_code == 200


@pytest.mark.parametrize("name", ["0003.eml", "..%2fnewsletter.db", "%2e%2e"])
def test_nothing_but_the_mailbox_is_read(browser: Browser, name: str) -> None:
    assert browser.get(f"/received/{name}").status_code == 404


def test_another_host_name_is_refused(clinic: Clinic, demo: Demo) -> None:
    with Browser(demo_app(clinic.settings, demo), "evil.example") as browser:
        assert browser.get("/").status_code == 403
