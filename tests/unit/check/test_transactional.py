"""The rules for transactional mail, each on a message with one problem."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from newsletter.check.model import Finding, Severity
from newsletter.check.transactional import check_message
from newsletter.render.compile import sender_of
from newsletter.render.model import CompiledIssue, Part, Variant
from newsletter.settings.load import load_settings
from newsletter.settings.model import Settings
from tests.unit.check.project import SETTINGS

BASE = "https://news.clinic.example"
ADDRESS = "Garden House, 4 Linden Lane, Rivertown, CA 94999"
LEAVE = f"{BASE}/u/{'t' * 32}"
HTML = f"""<!DOCTYPE html><html lang="en" dir="ltr"><body><div lang="en" dir="ltr">
<h1>You are on the list</h1>
<p>Thank you. <a href="{BASE}/archive">Read past issues</a></p>
<p><a href="{LEAVE}">Unsubscribe with one click</a></p>
<p>{ADDRESS}</p></div></body></html>"""
TEXT = f"""You are on the list

Thank you. Read past issues: {BASE}/archive
Unsubscribe with one click: {LEAVE}
{ADDRESS}
"""
HEADERS = {
    "List-Unsubscribe": f"<{LEAVE}>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}


@dataclass(frozen=True)
class Welcome:
    """A finished message."""

    html: str = HTML
    text: str = TEXT
    headers: Mapping[str, str] = field(default_factory=lambda: HEADERS)
    can_leave: bool = True


GOOD = Welcome()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "newsletter.toml").write_text(SETTINGS)
    folder = tmp_path / "templates" / "email"
    folder.mkdir(parents=True)
    (folder / "welcome.mjml").write_text("<mjml>\n<h1>{{ title }}</h1>\nTODO\n</mjml>")
    return load_settings(tmp_path / "newsletter.toml")


def found(message: Welcome, settings: Settings) -> list[Finding]:
    subject = "You are on the list: Garden House News"
    preheader = "What you will get from us, and how to leave."
    parts = (subject, preheader, message.html, message.text)
    compiled = CompiledIssue(
        slug="welcome",
        lang="en",
        date="",
        title=subject,
        sender=sender_of(settings),
        variants=(Variant(frozenset(), *(Part((part,)) for part in parts)),),
        images=(),
        archive_html="",
        digest="",
    )
    return check_message(compiled, settings, headers=message.headers, can_leave=message.can_leave)


def test_a_good_message_has_no_findings(settings: Settings) -> None:
    assert found(GOOD, settings) == []


@pytest.mark.parametrize(
    ("part", "old", "new", "rule"),
    [
        ("html", ADDRESS, "", "compliance/postal-address"),
        ("text", ADDRESS, "", "compliance/postal-address"),
        ("html", "Unsubscribe with one click", "", "compliance/unsubscribe"),
        ("text", LEAVE, "", "compliance/unsubscribe"),
        ("html", f"{BASE}/archive", "/archive", "links/relative"),
        ("html", f"{BASE}/archive", "", "links/empty"),
        ("html", f"{BASE}/archive", "http://localhost/archive", "links/local"),
        ("text", f"{BASE}/archive", "", "text-part/missing-link"),
        ("text", "You are on the list", "Hello", "text-part/missing-heading"),
        ("html", '<html lang="en"', "<html", "accessibility/language"),
        ("html", '<div lang="en" dir="ltr">', '<div lang="en">', "accessibility/direction"),
        ("html", "h1>", "h2>", "accessibility/heading-order"),
        ("html", "<p>Thank", '<p style="font-size:11px">Thank', "accessibility/small-text"),
        ("html", "Thank you.", '<img src="x.png" width="9">', "images/alt"),
        ("html", "Thank you.", "{{ text }}", "placeholders/merge-marks"),
        ("text", "Thank you.", "TODO", "placeholders/filler"),
        ("html", "Thank you.", "x" * 110_000, "size/clipped"),
    ],
)
def test_each_problem_is_found(
    settings: Settings, part: str, old: str, new: str, rule: str
) -> None:
    whole = getattr(GOOD, part)
    spoiled = replace(GOOD, **{part: whole.replace(old, new)})
    rules = {finding.rule for finding in found(spoiled, settings)}
    assert rule in rules


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"List-Unsubscribe": f"<{LEAVE}>"},
        {"List-Unsubscribe": f"<{LEAVE}>", "List-Unsubscribe-Post": "yes"},
        {**HEADERS, "List-Unsubscribe": f"<{BASE}/u/other>"},
        {**HEADERS, "List-Unsubscribe": f"<mailto:x@clinic.example>, <{LEAVE}>"},
    ],
)
def test_the_header_must_have_the_url_of_the_link(
    settings: Settings, headers: dict[str, str]
) -> None:
    (finding,) = found(replace(GOOD, headers=headers), settings)
    assert (finding.rule, finding.severity) == ("letters/one-click", Severity.BLOCKER)


def test_recipients_not_yet_on_a_list_need_no_unsubscribe_link(settings: Settings) -> None:
    message = replace(
        GOOD,
        html=HTML.replace(LEAVE, f"{BASE}/confirm/x"),
        text=TEXT.replace(LEAVE, f"{BASE}/confirm/x"),
        headers={},
    )
    assert {f.rule for f in found(message, settings)} == {
        "compliance/unsubscribe",
        "letters/one-click",
    }
    assert found(replace(message, can_leave=False), settings) == []


def test_a_finding_names_the_template_and_its_line(settings: Settings) -> None:
    spoiled = replace(GOOD, html=HTML.replace("Thank you.", "TODO"))
    (finding,) = found(spoiled, settings)
    assert (finding.file, finding.line) == ("templates/email/welcome.mjml", 3)
