"""The language of an issue: it has a catalog, and its text runs in the right direction."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.check.lint_context import LintContext
from newsletter.check.model import Severity
from newsletter.check.rule import Problem, rule
from newsletter.i18n.catalog import catalogs_of
from newsletter.i18n.languages import direction, language_name


@rule("language/no-catalog", Severity.BLOCKER)
def no_catalog(context: LintContext) -> Iterator[Problem]:
    """A language without a catalog: headings and footer would be in English."""
    lang, catalogs = context.issue.meta.lang, catalogs_of(context.settings)
    if catalogs.match(lang) is None:
        known = ", ".join(map(language_name, catalogs.languages))
        yield Problem(
            context.meta_line("lang"),
            f"the mail’s headings and footer are not translated into {language_name(lang)}",
            f"set lang to one of: {known}; or add the language: docs/adding-a-language.md",
        )


@rule("language/direction", Severity.WARNING)
def other_direction(context: LintContext) -> Iterator[Problem]:
    """A ``dir`` that does not fit the language, such as Arabic from left to right."""
    meta = context.issue.meta
    own = direction(meta.lang)
    # "auto" fits any language that is written from left to right.
    if meta.dir != own and (own == "rtl" or meta.dir == "rtl"):
        way = "right to left" if own == "rtl" else "left to right"
        yield Problem(
            context.meta_line("dir"),
            f"dir is {meta.dir}, but {language_name(meta.lang)} is written from {way}",
            "remove the dir line, or correct lang",
        )
