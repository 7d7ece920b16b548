"""Pictures: described, light, and laid out for Outlook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote

from newsletter.check.lint_context import LintContext
from newsletter.check.model import Severity
from newsletter.check.rule import ALL_MAIL, Problem, rule
from newsletter.content.blocks import inlines
from newsletter.render.model import Image

HEAVY = 200 * 1024
TOO_HEAVY = 1024 * 1024
"""Bytes."""
WIDEST_PX = 2400
"""Pixels of the file: four times the mail's column."""
DECORATIVE = "decorative"

_FILE_NAME = re.compile(r"[\w-]*\.(?:png|jpe?g|gif|webp)|(?:img|dsc|image)[_-]?\d+", re.IGNORECASE)


@rule("images/alt", Severity.BLOCKER, applies_to=ALL_MAIL)
def alt(case: LintContext) -> Iterator[Problem]:
    """A picture without alternative text (WCAG 1.1.1).

    A picture that only adorns is declared so by its title, ``![](leaf.png "decorative")``; an
    empty alt alone cannot be told from a forgotten one. The hero is never decorative.
    """
    for text, title, line in _pictures(case):
        if not text.strip() and title.casefold() != DECORATIVE:
            yield Problem(
                line,
                "a picture has no alternative text",
                'say what it shows: ![text](…), or declare it: ![](… "decorative")',
            )
    if any(i.get("alt") is None for reading in case.readings for i in reading.tree.iter("img")):
        yield Problem(1, "a picture has no alt attribute", 'add alt="…"', case.template)


@rule("images/alt-file-name", Severity.WARNING)
def alt_file_name(case: LintContext) -> Iterator[Problem]:
    """An alternative text that only repeats the file's name."""
    for text, _, line in _pictures(case):
        if _FILE_NAME.fullmatch(text.strip()):
            yield Problem(
                line, f"the alternative text “{text}” is a file name", "say what it shows"
            )


@rule("images/too-heavy", Severity.BLOCKER)
def too_heavy(case: LintContext) -> Iterator[Problem]:
    """A picture that many readers would wait for or pay for."""
    for image in case.compiled.images:
        if image.size > TOO_HEAVY:
            yield _weight(case, image)


@rule("images/heavy", Severity.WARNING)
def heavy(case: LintContext) -> Iterator[Problem]:
    """A picture that is slow on a phone."""
    for image in case.compiled.images:
        if HEAVY < image.size <= TOO_HEAVY:
            yield _weight(case, image)


@rule("images/wide", Severity.NOTE)
def wide(case: LintContext) -> Iterator[Problem]:
    """A picture with far more pixels than any screen shows of it."""
    for image in case.compiled.images:
        if image.width > WIDEST_PX:
            yield Problem(
                _line(case, image),
                f"{image.path.name} is {image.width} pixels wide; the column is 600",
                "scale it down to 1,200",
            )


@rule("images/no-width", Severity.WARNING, applies_to=ALL_MAIL)
def no_width(case: LintContext) -> Iterator[Problem]:
    """An ``img`` without a width in pixels: Outlook shows it in the file's own size."""
    for reading in case.readings:
        for image in reading.tree.iter("img"):
            if not (image.get("width") or "").isdigit():
                source = PurePosixPath(image.get("src") or "").name
                yield Problem(1, f"picture {source} has no width", 'add width="…"', case.template)


def _pictures(case: LintContext) -> Iterator[tuple[str, str, int]]:
    """Alternative text, title and line of each picture of the article."""
    if hero := case.issue.meta.hero:
        yield hero.alt, "", case.meta_line("hero.alt" if hero.alt else "hero")
    for inline in inlines(case.issue.blocks):
        for token in inline.children or ():
            if token.type == "image":
                text = "".join(child.content for child in token.children or ())
                line = token.map[0] + 1 if token.map else 1
                yield text, str(token.attrs.get("title", "")), line


def _weight(case: LintContext, image: Image) -> Problem:
    return Problem(
        _line(case, image),
        f"{image.path.name} weighs {image.size / 1024:,.0f} KB",
        f"make it smaller than {HEAVY // 1024} KB: fewer pixels, or JPEG for photographs",
    )


def _line(case: LintContext, image: Image) -> int:
    path = (case.settings.root / image.path).resolve()
    for use in case.issue.images:
        if (case.issue.folder / unquote(use.src)).resolve() == path:
            return use.line
    return 1
