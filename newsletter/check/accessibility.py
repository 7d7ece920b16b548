"""Whether the rendered mail works for screen readers and weak eyesight (WCAG 2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import floor

from newsletter.check.contrast import READABLE, too_faint
from newsletter.check.lint_context import SETTINGS_FILE, LintContext
from newsletter.check.model import Severity
from newsletter.check.rendered_mail import is_blank, squeeze
from newsletter.check.rule import ALL_MAIL, Problem, rule

SMALLEST_PX = 14.0
LAYOUT_ROLES = frozenset({"presentation", "none"})
_SHOWN = 40


@rule("accessibility/language", Severity.WARNING, applies_to=ALL_MAIL)
def language(context: LintContext) -> Iterator[Problem]:
    """A missing or wrong ``lang`` on ``html`` or on the wrapper in ``body``."""
    yield from _wrapped(context, "lang", {context.compiled.lang})


@rule("accessibility/direction", Severity.WARNING, applies_to=ALL_MAIL)
def direction(context: LintContext) -> Iterator[Problem]:
    """A missing or wrong ``dir`` on ``html`` or on the wrapper in ``body``."""
    yield from _wrapped(context, "dir", {context.issue.meta.dir})


@rule("accessibility/heading-order", Severity.WARNING, applies_to=ALL_MAIL)
def heading_order(context: LintContext) -> Iterator[Problem]:
    """A heading that skips a level, or a second title (WCAG 1.3.1)."""
    for mail in context.mails:
        headings = mail.headings
        for (above, _), (level, text) in pairwise(((0, ""), *headings)):
            if level > above + 1:
                yield _heading(
                    context,
                    (level, text),
                    f"heading “{_short(text)}” jumps from level {above} to level {level}",
                    f"make it level {above + 1}: {'#' * (above + 1)}",
                )
        for heading in [h for h in headings if h[0] == 1][1:]:
            message = f"heading “{_short(heading[1])}” is a second title; an issue has one"
            yield _heading(context, heading, message, "start it with ## instead of #")


@rule("accessibility/empty-heading", Severity.WARNING, applies_to=ALL_MAIL)
def empty_heading(context: LintContext) -> Iterator[Problem]:
    """A heading without text."""
    for mail in context.mails:
        for heading in mail.headings:
            if is_blank(heading[1]):
                yield _heading(
                    context, heading, "a heading has no text", "add text, or remove the heading"
                )


@rule("accessibility/table-role", Severity.WARNING, applies_to=ALL_MAIL)
def table_role(context: LintContext) -> Iterator[Problem]:
    """A layout table that is announced as data, or a data table without header cells."""
    for mail in context.mails:
        for table in mail.tree.iter("table"):
            if table.get("role") not in LAYOUT_ROLES and table.find(".//th") is None:
                text = squeeze(str(table.text_content()))
                yield Problem(
                    1,
                    f"the table “{_short(text)}” has neither a role nor header cells",
                    'add role="presentation" if it is for layout, or <th> cells if it holds data',
                    context.template,
                )


@rule("accessibility/small-text", Severity.WARNING, applies_to=ALL_MAIL)
def small_text(context: LintContext) -> Iterator[Problem]:
    """Text smaller than 14 px, except superscripts."""
    small: dict[str, float] = {}
    for mail in context.mails:
        for run in mail.runs:
            if run.size < SMALLEST_PX and not run.raised and not is_blank(run.text):
                small.setdefault(squeeze(run.text), run.size)
    for text, size in small.items():
        line = context.line_of(text)
        yield Problem(
            line,
            f"“{_short(text)}” is {size:g} px, which is hard to read",
            f"use {SMALLEST_PX:g} px or more",
            "" if line > 1 else context.template,
        )


@rule("accessibility/contrast", Severity.BLOCKER, applies_to=ALL_MAIL)
def low_contrast(context: LintContext) -> Iterator[Problem]:
    """Theme colors with too little contrast, light or dark (WCAG 1.4.3)."""
    theme = context.settings.theme
    for scheme, palette in (("light", theme.light), ("dark", theme.dark)):
        for words, ground, ratio in too_faint(palette):
            colors = getattr(palette, words), getattr(palette, ground)
            # A default color is not written in the settings: then point at the file's top.
            places = filter(None, map(context.setting_of, colors))
            file, line = next(places, (SETTINGS_FILE, 1))
            yield Problem(
                line,
                f"{scheme} theme: {words} {colors[0]} on {ground} {colors[1]} has a contrast of"
                f" only {floor(ratio * 100) / 100}:1",
                f"choose colors with a contrast of at least {READABLE}:1",
                file,
            )


@rule("accessibility/ambiguous-links", Severity.NOTE, applies_to=ALL_MAIL)
def ambiguous_links(context: LintContext) -> Iterator[Problem]:
    """The same link text for different addresses."""
    for mail in context.mails:
        targets: dict[str, str] = {}
        for link in mail.links:
            key = link.text.casefold()
            if key and targets.setdefault(key, link.href) != link.href:
                yield Problem(
                    context.line_of(link.href),
                    f"two links read “{_short(link.text)}” but lead to different addresses",
                    "word them differently, so that each says where it leads",
                )


def _wrapped(context: LintContext, name: str, right: set[str]) -> Iterator[Problem]:
    fix = f'write {name}="{next(iter(right))}" on <mjml> or in the layout'
    for mail in context.mails:
        if mail.tree.get(name) not in right:
            yield Problem(1, f"<html> lacks the issue’s {name}", fix, context.template)
        # Webmail puts the mail into a page of its own and drops <html>: an element around all
        # headings must say it again.
        body = mail.tree.find("body")
        headings = list(mail.tree.iter("h1", "h2"))
        wrappers = (
            element
            for element in (body.iterdescendants() if body is not None else ())
            if isinstance(element.tag, str) and element.get(name) in right
        )
        if not any(all(w in h.iterancestors() for h in headings) for w in wrappers):
            message = f"no element in <body> that encloses the text has the issue’s {name}"
            yield Problem(1, message, fix, context.template)


def _heading(context: LintContext, heading: tuple[int, str], message: str, fix: str) -> Problem:
    """A problem at the heading's line, or in the template if the article has no such heading."""
    level, text = heading
    lines = context.lines_of(f"{'#' * level} {text}") or context.lines_of(text)
    return Problem(lines[0], message, fix) if lines else Problem(1, message, fix, context.template)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
