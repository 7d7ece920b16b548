"""A report as people see it: kept whole."""

import re
from dataclasses import replace

from newsletter.campaign.report.page import report_page
from newsletter.campaign.report.text import report_text
from tests.support.golden import check_golden
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


def test_the_page_names_no_reader() -> None:
    known = sample_report()
    reply = "550 5.7.1 <long.name@post.example> blocked: reputation of news@clinic.example"
    refused = replace(known.refusals, policy_reply=reply)
    page = report_page(replace(known, refusals=refused), settings())
    assert "[address]&gt; blocked: reputation of [address]" in page
    assert "@" not in re.sub(r"@(media|supports)", "", page)
    assert "No such user" not in page


def test_json_adds_up() -> None:
    told = sample_report().as_json()
    reported = told["delivered"] + sum(told["bounced"].values()) + told["unreported"]
    assert reported == told["accepted"]
    rows = [*told["domains"], told["other_domains"]]
    for name in ("accepted", "deferred", "failed", "uncertain", "delivered", "complained"):
        assert sum(row[name] for row in rows) == told[name], name
