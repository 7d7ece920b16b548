"""A report as people see it: kept whole."""

import re

from newsletter.campaign.report_page import report_page
from newsletter.campaign.report_text import report_text
from tests.golden import check_golden
from tests.unit.campaign.sample_report import sample_report, settings


def test_the_page_is_the_golden_one() -> None:
    page = report_page(sample_report(), settings())
    without_styles = re.sub(r"(?<=<style>\n).*?(?=</style>)", "", page, flags=re.DOTALL)
    check_golden("campaign/report.html", without_styles)


def test_the_text_is_the_golden_one() -> None:
    check_golden("campaign/report.txt", report_text(sample_report()))


def test_no_word_from_outside_becomes_markup() -> None:
    page = report_page(sample_report(), settings())
    for markup in ("<migraine>", "<b>", "<script", "<system>"):
        assert markup not in page
        assert markup.replace("<", "&lt;").rstrip(">") in page
