"""A reader joins, chooses, leaves and comes back without JavaScript; every page is accessible."""

import re
import time
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import insert

from newsletter.audience import LinkAction, Ticket, make_link, show
from newsletter.campaign.prepare import prepare
from newsletter.render import serialize
from newsletter.settings import load_settings
from newsletter.store.schema import campaign, compiled_issue
from newsletter.web.language import Languages
from newsletter.web.letters import Letters
from newsletter.web.public import public_app
from tests.browser.conftest import Serve
from tests.browser.test_public_pages import assert_accessible
from tests.integration.web.conftest import KEYS, PROJECT, Clinic, clinic
from tests.integration.web.reader import joinable

__all__ = ["clinic"]

NEW = "new@reader.example"
ISSUE = PROJECT / "issues" / "neck-muscles-and-migraine.md"


@pytest.fixture
def address(clinic: Clinic, serve: Serve) -> str:
    return serve(public_app(clinic.store, KEYS, joinable(clinic.settings, archive="public")))


def newest_link(clinic: Clinic, count: int) -> str:
    """The path of the link in the newest letter, once there are so many."""
    folder = clinic.settings.var / "outbox" / "letters"
    wait_for(lambda: len(list(folder.glob("*.eml"))) == count)
    newest = max(folder.glob("*.eml"), key=lambda path: int(path.stem))
    message = message_from_bytes(newest.read_bytes(), policy=policy.default)
    text = message.get_body(("plain",)).get_content()
    return re.search(r"https://news\.clinic\.example(/\S+)", text)[1]


def wait_for(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not done():
        assert time.monotonic() < until
        time.sleep(0.05)


def heading(page: Page) -> str:
    return page.get_by_role("heading", level=1).inner_text()


def test_from_joining_to_leaving_and_back(chromium: Browser, clinic: Clinic, address: str) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="en")
    page = context.new_page()

    def press(name: str) -> None:
        page.get_by_role("button", name=name, exact=True).click()

    def lists() -> dict[str, str]:
        return show(clinic.store, NEW, KEYS)["lists"]

    page.goto(f"{address}/join")
    page.get_by_label("Your e-mail address").fill("new@")
    press("Join the list")
    assert page.title().startswith("Error:")
    assert page.get_by_label("Your e-mail address").input_value() == "new@"
    page.get_by_role("link", name="Please choose at least one.").click()
    page.get_by_label("Your e-mail address").fill(NEW)
    page.get_by_label("Pain").check()
    press("Join the list")
    assert heading(page) == "Please look into your mail"
    page.goto(address + newest_link(clinic, 1))
    press("Put me on the list")
    assert heading(page) == "You are on the list"
    assert lists() == {"pain": "active"}

    page.get_by_role("link", name="choose what you get").click()
    page.get_by_label("Sleep").check()
    press("Save")
    assert page.get_by_role("status").inner_text() == "Saved."
    press("Pause for 30 days")
    press("Write to me again")
    assert lists() == {"pain": "active", "sleep": "active"}
    press("Change my address")
    page.goto(address + newest_link(clinic, 2))
    page.get_by_label("Your new e-mail address").fill("moved@reader.example")
    press("Go on")
    page.goto(address + newest_link(clinic, 3))
    press("Confirm")
    assert heading(page) == "Your address is changed"

    page.goto(f"{address}/p/{clinic.token()}")
    page.get_by_role("link", name="Unsubscribe").click()
    press("Unsubscribe")
    assert heading(page) == "You are unsubscribed"
    page.get_by_label("Too many mails").check()
    press("Tell us")
    press("Undo")
    assert heading(page) == "You are subscribed again"
    assert context.cookies() == []
    context.close()


def paths(clinic: Clinic) -> list[str]:
    """Every page that can be looked at."""
    with clinic.store.write() as connection:
        details = {"lists": ["pain"], "language": ""}
        options = {"at": time.time(), "lifetime": 900.0, "uid": clinic.uid, "details": details}
        links = [make_link(connection, action, NEW, **options) for action in LinkAction]
    tickets = [Ticket(link.id, int(link.expires_at)) for link in links] + [Ticket(1, 1)]
    own = [f"/u/{clinic.token()}", f"/p/{clinic.token()}", f"/p/{clinic.token(proof=True)}"]
    own += [f"/confirm/{clinic.signer.sign_ticket(ticket)}" for ticket in tickets]
    return ["/join", "/join/sent", *own, "/nowhere", "/archive", "/archive/neck"]


def put_into_the_archive(clinic: Clinic) -> None:
    settings = load_settings(PROJECT / "newsletter.toml")
    compiled = prepare(ISSUE, settings).compiled
    values = {"digest": compiled.digest, "slug": "neck"}
    with clinic.store.write() as connection:
        connection.execute(
            insert(compiled_issue).values(**values, payload=serialize(compiled), created_at=1.0)
        )
        connection.execute(
            insert(campaign).values(
                **values,
                audience="pain",
                state="finished",
                transport="smtp",
                created_by="test",
                created_at=1.0,
            )
        )


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize(("locale", "scheme"), [("en", "dark"), ("es", "light")])
def test_axe_finds_nothing_on_any_page(
    chromium: Browser, clinic: Clinic, address: str, locale: str, scheme: str, width: int
) -> None:
    put_into_the_archive(clinic)
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, locale=locale
    )
    page = context.new_page()
    for path in paths(clinic):
        page.goto(address + path)
        assert page.locator("html").get_attribute("lang") == (
            "en" if path.endswith("/neck") else locale
        )
        assert_accessible(page)
    page.goto(f"{address}/join")
    page.locator("#email").fill("new@")
    page.locator("main button").click()
    assert_accessible(page)
    for target in page.locator("main .field input, main .box, main button").all():
        assert target.bounding_box()["height"] >= 44
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_letter_is_accessible_too(
    chromium: Browser, clinic: Clinic, tmp_path: Path, scheme: str
) -> None:
    languages = Languages(PROJECT / "templates" / "locale", "en")
    letters = Letters(clinic.settings, languages)
    context = chromium.new_context(viewport={"width": 320, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    for action in LinkAction:
        file = tmp_path / f"{action}.html"
        letter = letters.write(action, "https://news.clinic.example/confirm/x", "es")
        file.write_text(letter.html, encoding="utf-8")
        page.goto(file.as_uri())
        assert page.locator("html").get_attribute("lang") == "es"
        assert_accessible_mail(page)
    context.close()


def assert_accessible_mail(page: Page) -> None:
    from axe_playwright_python.sync_playwright import Axe

    off = {name: {"enabled": False} for name in ("region", "landmark-one-main")}
    results = Axe().run(page, options={"rules": off})
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
