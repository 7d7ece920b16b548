"""A small project on disk: settings, templates and one article, read and compiled for real."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.check.model import Finding
from newsletter.check.rules import run_checks
from newsletter.content.reader import read_issue
from newsletter.render.compile import compile_issue
from newsletter.settings.load import load_settings

TEMPLATES = Path(__file__).parents[3] / "templates"
ARTICLE = "issues/news.md"

SETTINGS = """\
[publication]
name = "Garden House News"
from_name = "Garden House"
from_address = "news@clinic.example"
list_id = "news.clinic.example"
public_url = "https://news.clinic.example"
postal_address = "Garden House, 4 Linden Lane, Rivertown, CA 94999"
default_disclaimer = "plain"

[[join.topics]]
list = "research"
title = "Research"

[merge_fields.first_name]

[merge_fields.email]

[merge_fields.plan]

[disclaimers]
plain = "This letter informs. It is not medical advice, and nothing in it is FDA approved."
short = "Ask your doctor."
blank = " "
"""

FRONT = {
    "subject": "What four studies say about the neck",
    "preheader": "Four muscles in plain words, and what nobody knows yet.",
    "title": "Your neck and your headaches",
    "date": "2026-11-24",
}

REFERENCE = "[^a]: Author A. A study of necks. *J Neck*. 2017;1(1):1. doi:10.1000/neck.1."

ADDRESS = "{{ publication.postal_address }}"
WAY_OUT = '<a href="{{ unsubscribe }}">Unsubscribe</a>'


def mail(
    *,
    head: str = 'lang="{{ lang }}" dir="{{ dir }}"',
    disclaimer: str = "{{ pieces.disclaimer }}",
    way_out: str = WAY_OUT,
    address: str = ADDRESS,
    more: str = "",
) -> str:
    """A plain template of the HTML part, whose pieces a sample can replace."""
    return f"""<mjml {head}><mj-body><mj-section><mj-column><mj-text font-size="16px">
<h1>{{{{ title }}}}</h1>{{{{ pieces.article }}}}{{{{ pieces.references }}}}{disclaimer}
<p>{way_out}</p><p>{address}</p>{more}
</mj-text></mj-column></mj-section></mj-body></mjml>"""


def text(
    *,
    article: str = "{{ article }}",
    references: str = "{{ references }}",
    disclaimer: str = "{{ disclaimer | wrap }}",
    way_out: str = "{{ unsubscribe }}",
    address: str = ADDRESS,
) -> str:
    """A plain template of the text part."""
    return "\n\n".join(("{{ title }}", article, references, disclaimer, way_out, address))


@dataclass(frozen=True)
class Sample:
    """One article for one rule.

    ``at`` is a text on the line where the finding is expected, in ``file``; empty: line 1.
    ``front`` adds to or replaces keys of the front matter; ``settings`` replaces texts of the
    settings; ``templates`` are whole files; ``pictures`` are files in the article's folder.
    """

    rule: str
    body: str = "Words."
    at: str = ""
    file: str = ARTICLE
    front: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    columns: frozenset[str] | None = None
    live: bool = False
    lists: frozenset[str] | None = None


@dataclass(frozen=True)
class Project:
    """A folder where samples are written and checked."""

    root: Path

    def lay(self, sample: Sample) -> None:
        """Write the sample's files."""
        shutil.copytree(TEMPLATES / "email", self.root / "templates/email")
        shutil.copytree(TEMPLATES / "locale", self.root / "templates/locale")
        (self.root / "issues").mkdir()
        for name, text in sample.templates.items():
            (self.root / "templates/email" / name).write_text(text)
        for name, data in sample.pictures.items():
            (self.root / "issues" / name).write_bytes(data)
        settings = SETTINGS
        for old, new in sample.settings.items():
            assert old in settings, f"{old!r} is no longer there"
            settings = settings.replace(old, new)
        (self.root / "newsletter.toml").write_text(settings)
        self.write(sample.body, sample.front)

    def write(self, body: str, front: Mapping[str, str] | None = None) -> None:
        """Write the article."""
        head = "\n".join(f"{key}: {value}" for key, value in (FRONT | dict(front or {})).items())
        (self.root / ARTICLE).write_text(f"---\n{head}\n---\n{body}\n")

    def check(
        self,
        columns: frozenset[str] | None = None,
        live: bool = False,
        lists: frozenset[str] | None = None,
    ) -> list[Finding]:
        """Read, compile and check the article."""
        settings = load_settings(self.root / "newsletter.toml")
        issue = read_issue(self.root / ARTICLE, root=self.root)
        compiled = compile_issue(issue, settings)
        return run_checks(issue, compiled, settings, columns=columns, live=live, lists=lists)

    def line_of(self, file: str, text: str) -> int:
        """The line of a text in a file; 1 for no text."""
        lines = (self.root / file).read_text().split("\n")
        return next(n for n, line in enumerate(lines, 1) if text in line) if text else 1
