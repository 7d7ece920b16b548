"""What the rules look at: one article, what it compiled to, and where things stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from newsletter.check.rendered_mail import RenderedMail, read_mail
from newsletter.check.sentences import Passage, sentences
from newsletter.content.model import Issue
from newsletter.render.model import CompiledIssue
from newsletter.settings.model import Publication, Settings

SETTINGS_FILE = "newsletter.toml"

_STRAIGHT = str.maketrans("‘’“”\u00a0\u202f", "''\"\"  ")


@dataclass(frozen=True)
class LintContext:
    """One article before the rules.

    ``columns`` are the audience's columns and attributes, and ``lists`` the lists there are, if
    they are known; ``live`` says that the mail is about to leave for real readers. ``headers`` are
    those of the finished message, where there is one to look at; ``can_leave``: its recipients are
    on a list.
    """

    issue: Issue
    compiled: CompiledIssue
    settings: Settings
    columns: frozenset[str] | None = None
    live: bool = False
    lists: frozenset[str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    can_leave: bool = True

    @property
    def publication(self) -> Publication:
        """Who is writing."""
        return self.settings.publication

    @cached_property
    def file(self) -> str:
        """The article's path, relative to the project's folder when inside."""
        return self._shown(self.issue.path)

    @property
    def template(self) -> str:
        """The template of the HTML part."""
        return f"templates/email/{self.issue.meta.template}.mjml"

    @property
    def text_template(self) -> str:
        """The template of the text part."""
        return f"templates/email/{self.issue.meta.template}.txt"

    @cached_property
    def passages(self) -> tuple[Passage, ...]:
        """The article's own words, run by run."""
        return tuple(sentences(self.issue.blocks))

    @cached_property
    def readings(self) -> tuple[RenderedMail, ...]:
        """Each variant as its readers see it."""
        return tuple(read_mail(v, self.publication.public_url) for v in self.compiled.variants)

    @property
    def parts(self) -> Iterator[tuple[str, str, RenderedMail]]:
        """The words of both parts of each variant: the part's name, its words, its reading."""
        for reading in self.readings:
            yield "HTML", reading.words, reading
            yield "text", reading.text, reading

    def meta_line(self, key: str) -> int:
        """The line of a key of the front matter."""
        return self.issue.meta_lines.get(key, 1)

    def lines_of(self, text: str) -> tuple[int, ...]:
        """Every line of the article where a text begins, whatever its blanks and quotes."""
        return _lines(text, self._source)

    def line_of(self, text: str) -> int:
        """The first line of the article where a text begins; 1 if it stands nowhere."""
        return next(iter(self.lines_of(text)), 1)

    def place_of(self, text: str) -> tuple[str, int]:
        """File and line of a text: the article, or else the settings, or else the article's top."""
        if lines := self.lines_of(text):
            return self.file, lines[0]
        return self.setting_of(text) or (self.file, 1)

    def setting_of(self, text: str) -> tuple[str, int] | None:
        """File and line of a text in the settings; None if it stands nowhere there."""
        lines = _lines(text, self._settings_source)
        return (SETTINGS_FILE, lines[0]) if lines else None

    def setting_line(self, key: str) -> int:
        """The line of a key in the settings file; 1 if the environment sets it."""
        found = re.search(rf"^[ \t]*{re.escape(key)}[ \t]*=", self._settings_source, re.MULTILINE)
        return self._settings_source.count("\n", 0, found.start()) + 1 if found else 1

    @cached_property
    def _source(self) -> str:
        return straight(self.issue.source)

    @cached_property
    def _settings_source(self) -> str:
        try:
            source = (self.settings.root / SETTINGS_FILE).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""
        return straight(source)

    def _shown(self, path: Path) -> str:
        root, real = self.settings.root.resolve(), path.resolve()
        return (real.relative_to(root) if real.is_relative_to(root) else path).as_posix()


def straight(text: str) -> str:
    """A text with plain quotation marks and blanks, as long as before."""
    return text.translate(_STRAIGHT)


def _lines(text: str, source: str) -> tuple[int, ...]:
    words = straight(text).split()
    if not words:
        return ()
    found = re.finditer(r"\s+".join(map(re.escape, words)), source)
    return tuple(dict.fromkeys(source.count("\n", 0, match.start()) + 1 for match in found))
