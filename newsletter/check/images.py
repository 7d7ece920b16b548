"""Pictures: described, small enough, and laid out for Outlook."""

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
def alt(context: LintContext) -> Iterator[Problem]:
    """A picture without alternative text (WCAG 1.1.1).

    A decorative picture is marked by its title, ``![](leaf.png "decorative")``; an empty alt text
    alone could be an oversight. The hero is never decorative.
    """
    for text, title, line in _pictures(context):
        if not text.strip() and title.casefold() != DECORATIVE:
            yield Problem(
                line,
                "a picture has no alternative text",
                'describe what it shows: ![text](…), or mark it as decoration: ![](… "decorative")',
            )
    # An article's pictures always have the attribute: if it is missing, a template is wrong.
    if any(i.get("alt") is None for mail in context.mails for i in mail.tree.iter("img")):
        yield Problem(
            1,
            "a picture has no alt attribute",
            'add alt="…" (alt="" for decoration)',
            context.template,
        )


@rule("images/alt-file-name", Severity.WARNING)
def alt_file_name(context: LintContext) -> Iterator[Problem]:
    """An alternative text that is only the file's name."""
    for text, _, line in _pictures(context):
        if _FILE_NAME.fullmatch(text.strip()):
            yield Problem(
                line,
                f"the alternative text “{text}” is a file name",
                "describe what the picture shows",
            )


@rule("images/too-heavy", Severity.BLOCKER)
def too_heavy(context: LintContext) -> Iterator[Problem]:
    """A picture that takes long to load and costs readers mobile data."""
    for image in context.compiled.images:
        if image.size > TOO_HEAVY:
            yield _weight(context, image)


@rule("images/heavy", Severity.WARNING)
def heavy(context: LintContext) -> Iterator[Problem]:
    """A picture that loads slowly on a phone."""
    for image in context.compiled.images:
        if HEAVY < image.size <= TOO_HEAVY:
            yield _weight(context, image)


@rule("images/wide", Severity.NOTE)
def wide(context: LintContext) -> Iterator[Problem]:
    """A picture with far more pixels than any screen shows."""
    for image in context.compiled.images:
        if image.width > WIDEST_PX:
            yield Problem(
                _line(context, image),
                f"{image.path.name} is {image.width:,} pixels wide; the mail’s column has 600",
                "scale it down to 1,200 pixels",
            )


@rule("images/no-width", Severity.WARNING, applies_to=ALL_MAIL)
def no_width(context: LintContext) -> Iterator[Problem]:
    """An ``img`` without a width in pixels: Outlook shows it at the file's own size."""
    for mail in context.mails:
        for image in mail.tree.iter("img"):
            if not (image.get("width") or "").isdigit():
                source = PurePosixPath(image.get("src") or "").name
                yield Problem(
                    1, f"picture {source} has no width", 'add width="…" in pixels', context.template
                )


def _pictures(context: LintContext) -> Iterator[tuple[str, str, int]]:
    """Alternative text, title and line of each picture of the article."""
    if hero := context.issue.meta.hero:
        yield hero.alt, "", context.meta_line("hero.alt" if hero.alt else "hero")
    for inline in inlines(context.issue.blocks):
        for token in inline.children or ():
            if token.type == "image":
                text = "".join(child.content for child in token.children or ())
                line = token.map[0] + 1 if token.map else 1
                yield text, str(token.attrs.get("title", "")), line


def _weight(context: LintContext, image: Image) -> Problem:
    return Problem(
        _line(context, image),
        f"{image.path.name} is {image.size / 1024:,.0f} KB",
        f"make it smaller than {HEAVY // 1024} KB: use fewer pixels, or JPEG for photographs",
    )


def _line(context: LintContext, image: Image) -> int:
    path = (context.settings.root / image.path).resolve()
    for use in context.issue.images:
        if (context.issue.folder / unquote(use.src)).resolve() == path:
            return use.line
    return 1
