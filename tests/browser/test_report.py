"""The report page: accessible, whole in one file, and readable on paper."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from newsletter.campaign.report.page import report_page, write_page
from tests.browser.test_public_pages import assert_accessible
from tests.unit.campaign.sample_report import sample_report, settings


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_axe_finds_nothing_and_nothing_is_fetched(
    chromium: Browser, tmp_path: Path, scheme: str, width: int
) -> None:
    file = tmp_path / "report.html"
    write_page(report_page(sample_report(), settings()), file)
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert_accessible(page)
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    plots = page.get_by_role("img")
    assert plots.count() == 8
    for plot in plots.all():
        assert plot.locator("title").text_content()
        assert plot.bounding_box()["width"] > 200
    page.get_by_text("The same in numbers").click()
    assert page.get_by_role("columnheader", name="unsubscribed", exact=True).is_visible()
    assert_accessible(page)
    page.set_viewport_size({"width": 700, "height": 1000})
    page.emulate_media(media="print")
    assert_accessible(page)
    context.close()
