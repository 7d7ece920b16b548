"""Nothing unfinished may leave: filler words, and marks that no one replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.check.lint_context import LintContext
from newsletter.check.model import Severity
from newsletter.check.rendered_mail import squeeze
from newsletter.check.rule import ALL_MAIL, Problem, rule

# "47,XXX" is a karyotype.
_FILLER = re.compile(
    r"(?i:\blorem\s+ipsum\b)|\bTO\s+BE\s+WRITTEN\b|\bTODO\b|\bTBD\b|\bFIXME\b"
    r"|(?<![\w,])(?<!,\s)XXX+(?!\w)"
)
_LEFT_OVER = re.compile(r"\{\{|\}\}|\{%")
_CITATION = re.compile(r"\[\^(?:[^\]\n]{0,100}\]|\w*)")


@rule("placeholders/filler", Severity.BLOCKER, applies_to=ALL_MAIL)
def filler(case: LintContext) -> Iterator[Problem]:
    """Words that stand in for what is still to be written."""
    for text in _outputs(case):
        for found in _FILLER.finditer(text):
            for file, line in _places(case, found[0]):
                yield Problem(
                    line, f"“{found[0]}” is still there", "write what belongs there", file
                )


@rule("placeholders/merge-marks", Severity.BLOCKER, applies_to=ALL_MAIL)
def merge_marks(case: LintContext) -> Iterator[Problem]:
    """Braces or a slot's inner name that readers would see; an article cannot hold any."""
    leaked = re.compile(rf"{_LEFT_OVER.pattern}|{re.escape(case.issue.prefix)}\w*")
    for text in _outputs(case):
        for found in leaked.finditer(text):
            file, line = case.setting_of(found[0]) or (case.template, 1)
            yield Problem(line, f"“{found[0]}” is left in the mail", "mend what writes it", file)


@rule("placeholders/citation-marks", Severity.BLOCKER, applies_to=ALL_MAIL)
def citation_marks(case: LintContext) -> Iterator[Problem]:
    """A literal ``[^`` in the mail, other than a citation that lacks its entry."""
    unknown = {f"[^{c.key}]" for c in case.issue.citations if c.number is None}
    for text in _outputs(case):
        for found in _CITATION.finditer(text):
            if found[0] not in unknown:
                for file, line in _places(case, found[0]):
                    yield Problem(
                        line, f"“{found[0]}” is no citation", "write [^key] with one word", file
                    )


def _outputs(case: LintContext) -> Iterator[str]:
    sender = case.compiled.sender
    yield f"{sender.from_name}\n{sender.from_address}"
    for reading in case.readings:
        yield from (reading.subject, reading.preheader, reading.words, squeeze(reading.text))


def _places(case: LintContext, text: str) -> list[tuple[str, int]]:
    lines = case.lines_of(text)
    return [(case.file, line) for line in lines] or [case.place_of(text)]
