"""What screen readers and tired eyes need of the rendered mail (WCAG 2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import floor

from lxml.html import HtmlElement

from newsletter.check.contrast import READABLE, too_faint
from newsletter.check.lint_context import SETTINGS_FILE, LintContext
from newsletter.check.model import Severity
from newsletter.check.rendered_mail import is_blank, squeeze
from newsletter.check.rule import ALL_MAIL, Problem, rule

SMALLEST_PX = 14.0
LAYOUT_ROLES = frozenset({"presentation", "none"})
_SHOWN = 40


@rule("accessibility/language", Severity.WARNING, applies_to=ALL_MAIL)
def language(case: LintContext) -> Iterator[Problem]:
    """No right ``lang`` on ``html`` and on a wrapper in ``body`` (webmail drops ``html``)."""
    yield from _wrapped(case, "lang", {case.compiled.lang})


@rule("accessibility/direction", Severity.WARNING, applies_to=ALL_MAIL)
def direction(case: LintContext) -> Iterator[Problem]:
    """No ``dir`` on ``html`` and on a wrapper in ``body``."""
    yield from _wrapped(case, "dir", {case.issue.meta.dir})


@rule("accessibility/heading-order", Severity.WARNING, applies_to=ALL_MAIL)
def heading_order(case: LintContext) -> Iterator[Problem]:
    """A heading that skips a level, or a second title (WCAG 1.3.1)."""
    for reading in case.readings:
        headings = reading.headings
        for (above, _), (level, text) in pairwise(((0, ""), *headings)):
            if level > above + 1:
                yield _heading(
                    case,
                    (level, text),
                    f"heading “{_short(text)}” is level {level} after level {above}",
                    f"make it level {above + 1}: {'#' * (above + 1)}",
                )
        for heading in [h for h in headings if h[0] == 1][1:]:
            message = f"heading “{_short(heading[1])}” is a second title"
            yield _heading(case, heading, message, "start it with ##")


@rule("accessibility/empty-heading", Severity.WARNING, applies_to=ALL_MAIL)
def empty_heading(case: LintContext) -> Iterator[Problem]:
    """A heading without words."""
    for reading in case.readings:
        for heading in reading.headings:
            if is_blank(heading[1]):
                yield _heading(case, heading, "a heading has no words", "write it or drop it")


@rule("accessibility/table-role", Severity.WARNING, applies_to=ALL_MAIL)
def table_role(case: LintContext) -> Iterator[Problem]:
    """A layout table read out as data, or a data table without header cells."""
    for reading in case.readings:
        for table in reading.tree.iter("table"):
            if table.get("role") not in LAYOUT_ROLES and table.find(".//th") is None:
                text = squeeze(str(table.text_content()))
                yield Problem(
                    1,
                    f"the table “{_short(text)}” has neither a role nor header cells",
                    'add role="presentation" if it is layout, <th> if it is data',
                    case.template,
                )


@rule("accessibility/small-text", Severity.WARNING, applies_to=ALL_MAIL)
def small_text(case: LintContext) -> Iterator[Problem]:
    """Words smaller than 14 px; superscripts excepted."""
    small: dict[str, float] = {}
    for reading in case.readings:
        for run in reading.runs:
            if run.size < SMALLEST_PX and not run.raised and not is_blank(run.text):
                small.setdefault(squeeze(run.text), run.size)
    for text, size in small.items():
        line = case.line_of(text)
        yield Problem(
            line,
            f"“{_short(text)}” is {size:g} px tall",
            f"set {SMALLEST_PX:g} px or more",
            "" if line > 1 else case.template,
        )


@rule("accessibility/contrast", Severity.BLOCKER, applies_to=ALL_MAIL)
def low_contrast(case: LintContext) -> Iterator[Problem]:
    """Colours of the settings that cannot be told apart by everybody, light or dark."""
    theme = case.settings.theme
    for scheme, palette in (("light", theme.light), ("dark", theme.dark)):
        for words, ground, ratio in too_faint(palette):
            colours = getattr(palette, words), getattr(palette, ground)
            places = filter(None, map(case.setting_of, colours))
            file, line = next(places, (SETTINGS_FILE, 1))
            yield Problem(
                line,
                f"{scheme}: {words} {colours[0]} on {ground} {colours[1]} has a contrast of"
                f" {floor(ratio * 100) / 100}:1",
                f"choose two that differ more: {READABLE}:1 is the least",
                file,
            )


@rule("accessibility/ambiguous-links", Severity.NOTE, applies_to=ALL_MAIL)
def ambiguous_links(case: LintContext) -> Iterator[Problem]:
    """The same words leading to different places."""
    for reading in case.readings:
        targets: dict[str, str] = {}
        for link in reading.links:
            key = link.text.casefold()
            if key and targets.setdefault(key, link.href) != link.href:
                yield Problem(
                    case.line_of(link.href),
                    f"the link words “{_short(link.text)}” lead to two places",
                    "say what differs",
                )


def _wrapped(case: LintContext, name: str, right: set[str]) -> Iterator[Problem]:
    fix = f'write {name}="{next(iter(right))}" on <mjml> or in the layout'
    for reading in case.readings:
        tree = reading.tree
        if tree.get(name) not in right:
            yield Problem(1, f"<html> has no {name} of the article's", fix, case.template)
        if not any(_all_words_in(child, tree) for child in _bearing(tree, name, right)):
            yield Problem(1, f"no wrapper in <body> has the article's {name}", fix, case.template)


def _bearing(tree: HtmlElement, name: str, right: set[str]) -> Iterator[HtmlElement]:
    body = tree.find("body")
    for element in body.iterdescendants() if body is not None else ():
        if isinstance(element.tag, str) and element.get(name) in right:
            yield element


def _all_words_in(wrapper: HtmlElement, tree: HtmlElement) -> bool:
    headings = list(tree.iter("h1", "h2"))
    return all(wrapper in heading.iterancestors() for heading in headings)


def _heading(case: LintContext, heading: tuple[int, str], message: str, fix: str) -> Problem:
    """A hit at the heading's line, or in the template if the article has no such heading."""
    level, text = heading
    lines = case.lines_of(f"{'#' * level} {text}") or case.lines_of(text)
    return Problem(lines[0], message, fix) if lines else Problem(1, message, fix, case.template)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
