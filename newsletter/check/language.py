"""The language of an issue: there are words of ours in it, and it is written in its direction."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.check.lint_context import LintContext
from newsletter.check.model import Severity
from newsletter.check.rule import Problem, rule
from newsletter.i18n.catalog import catalogs_of
from newsletter.i18n.languages import direction, language_name


@rule("language/no-catalog", Severity.BLOCKER)
def no_catalog(case: LintContext) -> Iterator[Problem]:
    """A language that our own words are not translated into: they would be English."""
    lang, catalogs = case.issue.meta.lang, catalogs_of(case.settings)
    if catalogs.match(lang) is None:
        known = ", ".join(map(language_name, catalogs.languages))
        yield Problem(
            case.meta_line("lang"),
            f"the mail’s own words (headings, footer) do not exist in {language_name(lang)}",
            f"set lang to one of: {known}; to add a language, see docs/adding-a-language.md",
        )


@rule("language/direction", Severity.WARNING)
def other_direction(case: LintContext) -> Iterator[Problem]:
    """A ``dir`` that is not the language's own: Arabic from left to right."""
    meta = case.issue.meta
    own = direction(meta.lang)
    if meta.dir != own and (own == "rtl" or meta.dir == "rtl"):
        way = "right to left" if own == "rtl" else "left to right"
        yield Problem(
            case.meta_line("dir"),
            f"dir is {meta.dir}, but {language_name(meta.lang)} is written from {way}",
            "remove the line with dir, or correct lang",
        )
