"""axe finds nothing on any page that readers can come to, and every page fits."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from newsletter.web.public.app import public_app
from tests.browser.conftest import Serve
from tests.browser.visits import Visitor, put_into_the_archive
from tests.integration.web.conftest import KEYS, Clinic, clinic
from tests.integration.web.reader import joinable

__all__ = ["clinic"]

LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (320, 1280)]
_RUN = """() => axe.run({exclude: [["iframe"]]}).then(found => found.violations.map(
    each => each.id + ": " + each.nodes.map(node => node.html).join(" ")))"""
_SMALL = """elements => elements
    .filter(each => each.getBoundingClientRect().height < 44)
    .map(each => each.outerHTML)"""


@pytest.mark.parametrize("locale", ["en", "es"])
def test_every_page_is_accessible_in_light_and_dark_on_phone_and_desktop(
    chromium: Browser, clinic: Clinic, serve: Serve, locale: str
) -> None:
    put_into_the_archive(clinic)
    settings = joinable(clinic.settings, archive="public")
    address = serve(public_app(clinic.store, KEYS, settings))
    context = chromium.new_context(locale=locale)
    page = context.new_page()
    titles = {}
    for name in Visitor(page, address, clinic).visits():
        titles[name] = page.get_by_role("heading", level=1).inner_text()
        lang = page.locator("html").get_attribute("lang")
        assert lang == ("en" if name == "issue" else locale), name
        page.evaluate(Axe().axe_script)
        for look in LOOKS:
            assert faults(page, *look) == [], (name, look)
    assert len(set(titles.values())) > 25
    context.close()


def faults(page: Page, scheme: Any, width: int) -> list[str]:
    """What axe finds, controls that are too small to be hit, and whether the page is too wide."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    found: list[str] = page.evaluate(_RUN)
    small = page.locator("main button, main .button, main .field input, main .box")
    found += small.evaluate_all(_SMALL)
    if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
        found.append("too wide")
    return found
