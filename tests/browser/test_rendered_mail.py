"""The mail of the golden file in a real browser: narrow and wide, light and dark, stripped."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

GOLDEN = Path(__file__).parents[1] / "golden" / "render" / "every-block.html"
PAGE_RULES = ("region", "landmark-one-main", "page-has-heading-one")
"""Rules about whole pages: a mail stands inside one."""

Scheme = Literal["light", "dark"]


@pytest.fixture
def html() -> str:
    return GOLDEN.read_text(encoding="utf-8").replace(">\n<", "><")


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page()
    page.route("**/*", lambda route: route.abort())
    yield page
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 600, 1280])
def test_mail_is_accessible_and_fits(page: Page, html: str, scheme: Scheme, width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    page.set_content(html)
    found = Axe().run(page, options={"rules": {rule: {"enabled": False} for rule in PAGE_RULES}})
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("document.compatMode") == "CSS1Compat"


def colours(page: Page) -> tuple[str, str]:
    script = "s => { const c = getComputedStyle(document.querySelector(s)); return c[%r] }"
    return (
        page.evaluate(script % "backgroundColor", ".card"),
        page.evaluate(script % "color", "h1"),
    )


def test_dark_scheme_reaches_card_and_ink(page: Page, html: str) -> None:
    page.emulate_media(color_scheme="dark")
    page.set_content(html)
    assert colours(page) == ("rgb(26, 36, 39)", "rgb(232, 239, 239)")


def test_without_any_style_element_it_is_the_same_letter(page: Page, html: str) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    page.set_content(re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL))
    assert colours(page) == ("rgb(255, 255, 255)", "rgb(27, 42, 47)")
    size = "getComputedStyle(document.querySelector('.article p')).fontSize"
    assert page.evaluate(size) == "17px"
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert not page.locator(".preheader").is_visible()


def test_the_button_is_tall_enough_to_tap(page: Page, html: str) -> None:
    page.set_content(html)
    button = page.get_by_role("link", name="Ask a question").bounding_box()
    assert button
    assert button["height"] == 48
