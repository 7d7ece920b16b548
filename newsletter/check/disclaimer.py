"""The disclaimer: there, and word for word, in both parts."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.check.lint_context import SETTINGS_FILE, LintContext, straight
from newsletter.check.model import Severity
from newsletter.check.rendered_mail import squeeze
from newsletter.check.rule import Problem, rule
from newsletter.i18n.languages import language_name, same_language
from newsletter.render.foreign import LocalText, choose_text


@rule("disclaimer/missing", Severity.BLOCKER)
def missing(case: LintContext) -> Iterator[Problem]:
    """No disclaimer is named, or the one named does not exist or is empty."""
    name = disclaimer_name(case)
    line = case.meta_line("disclaimer")
    if not name:
        yield Problem(line, "the issue has no disclaimer", "name one: disclaimer: NAME")
    elif name not in case.settings.disclaimers:
        known = ", ".join(sorted(case.settings.disclaimers)) or "none yet"
        yield Problem(
            line,
            f"there is no disclaimer named {name}",
            f"write it under [disclaimers] in {SETTINGS_FILE} (there: {known})",
        )
    elif not _shown(case).text.strip():
        line = case.setting_line(name)
        yield Problem(line, f"the disclaimer {name} is empty", "write it out", SETTINGS_FILE)


@rule("disclaimer/altered", Severity.BLOCKER)
def altered(case: LintContext) -> Iterator[Problem]:
    """The disclaimer does not stand word for word in a part of the mail."""
    name = disclaimer_name(case)
    text = _words(_shown(case).text)
    for part, words, _ in case.parts:
        if text and text not in _words(words):
            yield Problem(
                case.meta_line("disclaimer"),
                f"the disclaimer {name} does not stand word for word in the {part} part",
                f"let {case.template if part == 'HTML' else case.text_template} show it whole",
            )


@rule("disclaimer/language", Severity.NOTE)
def language(case: LintContext) -> Iterator[Problem]:
    """The disclaimer stands in another language than the issue."""
    shown, lang = _shown(case), case.issue.meta.lang
    if shown.text and not same_language(shown.language, lang):
        name = disclaimer_name(case)
        yield Problem(
            case.meta_line("disclaimer"),
            f"the disclaimer {name} is in {language_name(shown.language)}, the issue in"
            f" {language_name(lang)}",
            f"give it in both, as {shown.language} and {lang} under [disclaimers.{name}] in"
            f" {SETTINGS_FILE}",
        )


def disclaimer_name(case: LintContext) -> str:
    """The disclaimer an issue bears: its own, or the publication's."""
    return case.issue.meta.disclaimer or case.publication.default_disclaimer


def _shown(case: LintContext) -> LocalText:
    texts = case.settings.disclaimers.get(disclaimer_name(case), {})
    return choose_text(texts, case.issue.meta.lang, case.publication.language)


def _words(text: str) -> str:
    return squeeze(straight(text))
