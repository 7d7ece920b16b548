"""The disclaimer: present, and word for word, in both parts."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.check.lint_context import SETTINGS_FILE, LintContext, straight
from newsletter.check.model import Severity
from newsletter.check.rendered_mail import squeeze
from newsletter.check.rule import Problem, rule
from newsletter.i18n.languages import language_name, same_language
from newsletter.render.foreign import LocalText, choose_text


@rule("disclaimer/missing", Severity.BLOCKER)
def missing(context: LintContext) -> Iterator[Problem]:
    """An issue without a disclaimer, or with one that does not exist or is empty."""
    name = disclaimer_name(context)
    line = context.meta_line("disclaimer")
    if not name:
        yield Problem(
            line, "the issue has no disclaimer", "add a line to the front matter: disclaimer: NAME"
        )
    elif name not in context.settings.disclaimers:
        names = ", ".join(sorted(context.settings.disclaimers))
        known = f"known: {names}" if names else "none is defined yet"
        yield Problem(
            line,
            f"there is no disclaimer named {name}",
            f"use the name of one under [disclaimers] in {SETTINGS_FILE}, or add it ({known})",
        )
    elif not _shown(context).text.strip():
        line = context.setting_line(name)
        yield Problem(line, f"the disclaimer {name} is empty", "write its text", SETTINGS_FILE)


@rule("disclaimer/altered", Severity.BLOCKER)
def altered(context: LintContext) -> Iterator[Problem]:
    """A part of the mail that does not show the disclaimer word for word."""
    name = disclaimer_name(context)
    text = _words(_shown(context).text)
    for part, words, _ in context.parts:
        if text and text not in _words(words):
            yield Problem(
                context.meta_line("disclaimer"),
                f"the {part} part does not show the disclaimer {name} word for word",
                f"show it in full in"
                f" {context.template if part == 'HTML' else context.text_template}",
            )


@rule("disclaimer/language", Severity.NOTE)
def language(context: LintContext) -> Iterator[Problem]:
    """A disclaimer in another language than the issue."""
    shown, lang = _shown(context), context.issue.meta.lang
    if shown.text and not same_language(shown.language, lang):
        name = disclaimer_name(context)
        yield Problem(
            context.meta_line("disclaimer"),
            f"the disclaimer {name} is in {language_name(shown.language)}, the issue in"
            f" {language_name(lang)}",
            f"add a translation as {lang}, beside {shown.language}, under [disclaimers.{name}] in"
            f" {SETTINGS_FILE}",
        )


def disclaimer_name(context: LintContext) -> str:
    """The name of an issue's disclaimer: its own, or the publication's default."""
    return context.issue.meta.disclaimer or context.publication.default_disclaimer


def _shown(context: LintContext) -> LocalText:
    texts = context.settings.disclaimers.get(disclaimer_name(context), {})
    return choose_text(texts, context.issue.meta.lang, context.publication.language)


def _words(text: str) -> str:
    # Rendering changes quotes and spaces to typographic ones.
    return squeeze(straight(text))
