"""Unfinished text: filler words, and template or citation marks that were not replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.check.lint_context import LintContext
from newsletter.check.model import Severity
from newsletter.check.rendered_mail import squeeze
from newsletter.check.rule import ALL_MAIL, Problem, rule

# "47,XXX" is a karyotype, and so not filler.
# In capitals only: "todo" is an ordinary word in Spanish.
_FILLER = re.compile(
    r"(?i:\blorem\s+ipsum\b)|\bTO\s+BE\s+WRITTEN\b|\bTODO\b|\bTBD\b|\bFIXME\b"
    r"|(?<![\w,])(?<!,\s)XXX+(?!\w)"
)
_LEFT_OVER = re.compile(r"\{\{|\}\}|\{%")
_CITATION = re.compile(r"\[\^(?:[^\]\n]{0,100}\]|\w*)")


@rule("placeholders/filler", Severity.BLOCKER, applies_to=ALL_MAIL)
def filler(context: LintContext) -> Iterator[Problem]:
    """Filler in place of text that is still to be written."""
    for text in _outputs(context):
        for found in _FILLER.finditer(text):
            for file, line in _places(context, found[0]):
                yield Problem(
                    line,
                    f"“{found[0]}” is still in the mail",
                    "replace it with the final text",
                    file,
                )


@rule("placeholders/merge-marks", Severity.BLOCKER, applies_to=ALL_MAIL)
def merge_marks(context: LintContext) -> Iterator[Problem]:
    """Braces or the internal name of a slot that readers would see."""
    # An article cannot contain any (its reader refuses them): a template or setting does.
    leaked = re.compile(rf"{_LEFT_OVER.pattern}|{re.escape(context.issue.prefix)}\w*")
    for text in _outputs(context):
        for found in leaked.finditer(text):
            file, line = context.setting_of(found[0]) or (context.template, 1)
            yield Problem(
                line,
                f"“{found[0]}” would be visible to readers",
                "correct the setting or template that writes it",
                file,
            )


@rule("placeholders/citation-marks", Severity.BLOCKER, applies_to=ALL_MAIL)
def citation_marks(context: LintContext) -> Iterator[Problem]:
    """A literal ``[^`` in the mail."""
    # Citations without an entry are reported by references/missing already.
    unknown = {f"[^{c.key}]" for c in context.issue.citations if c.number is None}
    for text in _outputs(context):
        for found in _CITATION.finditer(text):
            if found[0] not in unknown:
                for file, line in _places(context, found[0]):
                    yield Problem(
                        line,
                        f"“{found[0]}” is not a valid citation",
                        "write [^key], with a key of one word",
                        file,
                    )


def _outputs(context: LintContext) -> Iterator[str]:
    sender = context.compiled.sender
    yield f"{sender.from_name}\n{sender.from_address}"
    for mail in context.mails:
        yield from (mail.subject, mail.preheader, mail.words, squeeze(mail.text))


def _places(context: LintContext, text: str) -> list[tuple[str, int]]:
    lines = context.lines_of(text)
    return [(context.file, line) for line in lines] or [context.place_of(text)]
