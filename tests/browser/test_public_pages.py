"""A reader leaves and comes back, with JavaScript off, or with the keyboard alone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from newsletter.web.public.app import public_app
from tests.browser.conftest import Serve
from tests.integration.web.conftest import KEYS, LEFT, STAYED, Clinic, clinic

__all__ = ["clinic"]


@pytest.fixture
def address(clinic: Clinic, serve: Serve) -> str:
    return serve(public_app(clinic.store, KEYS, clinic.settings))


def test_leaving_and_undoing_without_javascript(
    chromium: Browser, clinic: Clinic, address: str
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    link = f"{address}/u/{clinic.token()}"
    page.goto(link)
    assert clinic.standing()[0] == STAYED
    page.get_by_role("button", name="Unsubscribe").click()
    assert page.get_by_role("heading", level=1).inner_text() == "You are unsubscribed"
    assert page.url == link
    assert clinic.standing()[0] == LEFT
    page.get_by_role("button", name="Undo").click()
    assert page.get_by_role("heading", level=1).inner_text() == "You are subscribed again"
    assert clinic.standing()[:2] == (STAYED, [])
    assert context.cookies() == []
    sources = {source for _, source in clinic.standing()[2]}
    assert sources == {"form", "page"}
    context.close()


def test_everything_works_from_the_keyboard(
    chromium: Browser, clinic: Clinic, address: str
) -> None:
    page = chromium.new_page()
    page.goto(f"{address}/u/{clinic.token()}")
    page.keyboard.press("Tab")
    ring = page.get_by_role("button").evaluate("b => getComputedStyle(b).outlineWidth")
    assert ring == "3px"
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="You are unsubscribed").wait_for()
    page.close()


def assert_accessible(page: Page) -> None:
    results = Axe().run(page, context={"exclude": [["iframe"]]})
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
