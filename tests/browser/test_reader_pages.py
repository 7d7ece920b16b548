"""A reader joins, chooses, leaves and comes back without JavaScript; every page is accessible."""

import re
import time
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from newsletter.audience.model import LinkAction
from newsletter.campaign.subscriber_history import show
from newsletter.i18n.catalog import Catalogs
from newsletter.render.slots import preview_part
from newsletter.transactional.checks import PreviewSigner
from newsletter.transactional.messages import WELCOME, Messages
from newsletter.web.public.app import public_app
from tests.browser.conftest import ARGUMENTS, CHROMIUM, Serve
from tests.integration.web.conftest import KEYS, PROJECT, Clinic, clinic
from tests.integration.web.reader import joinable

__all__ = ["clinic"]

NEW = "new@reader.example"
FOCUSED = """() => {
    const focused = document.activeElement;
    const style = getComputedStyle(focused);
    const box = focused.getBoundingClientRect();
    return {
        name: (focused.labels?.[0] ?? focused).innerText.trim(),
        ring: focused === document.body || (
            style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 3
            && box.top >= 0 && box.bottom <= innerHeight),
    };
}"""
"""What has the focus, and whether one can see that."""


@pytest.fixture
def address(clinic: Clinic, serve: Serve) -> str:
    return serve(public_app(clinic.store, KEYS, joinable(clinic.settings, archive="public")))


def newest_link(clinic: Clinic, count: int) -> str:
    """The path of the link in the newest message, once there are so many."""
    folder = clinic.settings.var / "outbox" / "transactional"
    wait_for(lambda: len(list(folder.glob("*.eml"))) == count)
    newest = max(folder.glob("*.eml"), key=lambda path: int(path.stem))
    message = message_from_bytes(newest.read_bytes(), policy=policy.default)
    text = message.get_body(("plain",)).get_content()
    return re.search(r"https://news\.clinic\.example(/\S+)", text)[1]


def wait_for(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
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
    page.get_by_label("Your email address").fill("new@")
    press("Join the list")
    assert page.title().startswith("Error:")
    assert page.get_by_label("Your email address").input_value() == "new@"
    page.get_by_role("link", name="Please choose at least one.").click()
    page.get_by_label("Your email address").fill(NEW)
    page.get_by_label("Pain").check()
    press("Join the list")
    assert heading(page) == "Check your email"
    page.goto(address + newest_link(clinic, 1))
    press("Put me on the list")
    assert heading(page) == "You are on the list"
    assert lists() == {"pain": "active"}

    page.get_by_role("link", name="choose what you get").click()
    page.get_by_label("Sleep").check()
    press("Save")
    assert page.get_by_role("status").inner_text() == "Saved."
    press("Pause for 30 days")
    press("Resume now")
    assert lists() == {"pain": "active", "sleep": "active"}
    press("Change my address")
    page.goto(address + newest_link(clinic, 3))
    page.get_by_label("Your new email address").fill("moved@reader.example")
    press("Continue")
    page.goto(address + newest_link(clinic, 4))
    press("Confirm")
    assert heading(page) == "Your address has been changed"

    page.goto(f"{address}/p/{clinic.token()}")
    page.get_by_role("link", name="Unsubscribe").click()
    press("Unsubscribe")
    assert heading(page) == "You are unsubscribed"
    page.get_by_label("Too many emails").check()
    press("Send")
    press("Undo")
    assert heading(page) == "You are subscribed again"
    assert context.cookies() == []
    context.close()


def test_the_same_way_with_nothing_but_the_keyboard(
    chromium: Browser, clinic: Clinic, address: str
) -> None:
    page = chromium.new_page(locale="en")

    def reach(name: str) -> None:
        for _ in range(30):
            page.keyboard.press("Tab")
            focused = page.evaluate(FOCUSED)
            assert focused["ring"], focused
            if focused["name"] == name:
                return
        raise AssertionError(f"{name} is not reached")

    def press(name: str, key: str = "Enter") -> None:
        reach(name)
        page.keyboard.press(key)

    def arrive(title: str) -> None:
        page.get_by_role("heading", level=1, name=title).wait_for()

    page.goto(f"{address}/join")
    reach("Your email address")
    page.keyboard.type(NEW)
    press("Pain", "Space")
    press("Join the list")
    arrive("Check your email")
    page.goto(address + newest_link(clinic, 1))
    press("Put me on the list")
    arrive("You are on the list")
    press("choose what you get")
    arrive("Choose what you get")
    press("Sleep & <i>rest</i>", "Space")
    press("Save")
    page.get_by_role("status").wait_for()
    assert show(clinic.store, NEW, KEYS)["lists"] == {"pain": "active", "sleep": "active"}
    press("Unsubscribe")
    arrive("Unsubscribe")
    press("Unsubscribe")
    arrive("You are unsubscribed")
    press("Undo")
    arrive("You are subscribed again")
    assert show(clinic.store, NEW, KEYS)["lists"] == {"pain": "active", "sleep": "active"}
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_messages_are_accessible_too(
    chromium: Browser, clinic: Clinic, tmp_path: Path, scheme: str
) -> None:
    languages = Catalogs(PROJECT / "templates" / "locale", "en")
    settings = joinable(clinic.settings, archive="public")
    messages = Messages(settings, languages, PreviewSigner())
    written = [
        *(messages.compile(action, "es") for action in LinkAction),
        messages.compile(WELCOME, "es", ["pain", "sleep"]),
    ]
    context = chromium.new_context(viewport={"width": 320, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    for number, message in enumerate(written):
        file = tmp_path / f"{number}.html"
        file.write_text(preview_part(message.variants[0].html, {}), encoding="utf-8")
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


def test_the_buttons_work_in_browsers_without_fetch_metadata(
    chromium: Browser, clinic: Clinic, address: str
) -> None:
    # Over http to a name that is not this machine's, Chromium sends none, as old Safari never does.
    host = f"news.clinic.example:{address.rpartition(':')[2]}"
    arguments = [*ARGUMENTS, "--host-resolver-rules=MAP news.clinic.example 127.0.0.1"]
    browser = chromium.browser_type.launch(executable_path=str(CHROMIUM), args=arguments)
    page = browser.new_page()
    page.goto(f"http://{host}/p/{clinic.token()}")
    with page.expect_request(lambda request: request.method == "POST") as sent:
        page.get_by_role("button", name="Pause for 30 days").click()
    page.get_by_role("button", name="Resume now").wait_for()
    post = sent.value.all_headers()
    assert (post["origin"], post.get("sec-fetch-site")) == (f"http://{host}", None)
    browser.close()
