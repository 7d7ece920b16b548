"""What the rules look at: one article, what it compiled to, and the lines of its parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from newsletter.check.rendered_mail import RenderedMail, read_mail
from newsletter.check.sentences import Passage, sentences
from newsletter.content.model import Issue
from newsletter.render.model import CompiledIssue
from newsletter.settings.model import Publication, Settings

SETTINGS_FILE = "newsletter.toml"

# Typographic quotes and no-break spaces, which rendering adds.
_STRAIGHT = str.maketrans("‘’“”\u00a0\u202f", "''\"\"  ")


@dataclass(frozen=True)
class LintContext:
    """One article, as the rules see it.

    Args:
        issue: The article.
        compiled: What it compiled to.
        settings: The publication's settings.
        columns: The audience's columns and attributes; None: unknown.
        live: The mail is about to be sent to real subscribers.
        lists: The names of all lists; None: unknown.
        headers: Those of the finished message, if there is one.
        can_leave: Its recipients are on a list, and so can unsubscribe.
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
        """Whose newsletter it is."""
        return self.settings.publication

    @cached_property
    def file(self) -> str:
        """The article's path, relative to the project's folder when inside."""
        root, path = self.settings.root.resolve(), self.issue.path.resolve()
        inside = path.is_relative_to(root)
        return (path.relative_to(root) if inside else self.issue.path).as_posix()

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
        """The article's own text, passage by passage."""
        return tuple(sentences(self.issue.blocks))

    @cached_property
    def mails(self) -> tuple[RenderedMail, ...]:
        """Each variant as its recipients see it."""
        return tuple(read_mail(v, self.publication.public_url) for v in self.compiled.variants)

    @property
    def parts(self) -> Iterator[tuple[str, str, RenderedMail]]:
        """Both parts of each variant: the part's name, its words, and the mail it belongs to."""
        for mail in self.mails:
            yield "HTML", mail.words, mail
            yield "text", mail.text, mail

    def meta_line(self, key: str) -> int:
        """The line of a key of the front matter."""
        return self.issue.meta_lines.get(key, 1)

    def lines_of(self, text: str) -> tuple[int, ...]:
        """Every line of the article where a text begins, whatever its spaces and quotes."""
        return _lines(text, self._source)

    def line_of(self, text: str) -> int:
        """The first line of the article where a text begins; 1 if it is not there."""
        return next(iter(self.lines_of(text)), 1)

    def place_of(self, text: str) -> tuple[str, int]:
        """File and line of a text: in the article, else the settings, else the article's top."""
        if lines := self.lines_of(text):
            return self.file, lines[0]
        return self.setting_of(text) or (self.file, 1)

    def setting_of(self, text: str) -> tuple[str, int] | None:
        """File and line of a text in the settings; None if it is not there."""
        lines = _lines(text, self._settings_source)
        return (SETTINGS_FILE, lines[0]) if lines else None

    def setting_line(self, key: str) -> int:
        """The line of a key in the settings file; 1 if the environment sets it."""
        found = re.search(rf"^[ \t]*{re.escape(key)}[ \t]*=", self._settings_source, re.MULTILINE)
        return self._settings_source.count("\n", 0, found.start()) + 1 if found else 1

    # Cached: rules look up many texts, and a source may be long.
    @cached_property
    def _source(self) -> str:
        return straight(self.issue.source)

    @cached_property
    def _settings_source(self) -> str:
        try:
            source = (self.settings.root / SETTINGS_FILE).read_text(encoding="utf-8")
        # The environment alone may hold all settings.
        except (OSError, UnicodeDecodeError):
            return ""
        return straight(source)


def straight(text: str) -> str:
    """A text with plain quotation marks and spaces; its length stays the same."""
    return text.translate(_STRAIGHT)


def _lines(text: str, source: str) -> tuple[int, ...]:
    words = straight(text).split()
    if not words:
        return ()
    # Rendering joins lines: a space may be a line break in the source.
    found = re.finditer(r"\s+".join(map(re.escape, words)), source)
    return tuple(dict.fromkeys(source.count("\n", 0, match.start()) + 1 for match in found))
