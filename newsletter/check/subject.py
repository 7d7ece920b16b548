"""The subject line and the preheader: what is read before the mail is opened."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.check.lint_context import LintContext
from newsletter.check.model import Severity
from newsletter.check.rule import ALL_MAIL, Problem, rule

LONGEST_SUBJECT = 78
"""Characters: the line length that RFC 5322 section 2.1.1 recommends."""
SHORTEST_PREHEADER = 30
"""Characters; under this, mail programs fill up with the first words of the mail."""

_REPLY = re.compile(r"\s*(?:re|fwd?|aw|wg)\s*(?:\[\d+\]\s*)?:", re.IGNORECASE)


@rule("subject/reply", Severity.BLOCKER, applies_to=ALL_MAIL)
def reply(case: LintContext) -> Iterator[Problem]:
    """A subject that pretends to answer or to forward (CAN-SPAM: no deceptive subjects)."""
    if found := _REPLY.match(case.issue.meta.subject):
        yield Problem(
            case.meta_line("subject"),
            f"the subject starts with “{found[0].strip()}”, as if it were an answer",
            "start with what the issue is about",
        )


@rule("subject/shouting", Severity.WARNING, applies_to=ALL_MAIL)
def shouting(case: LintContext) -> Iterator[Problem]:
    """A subject in capitals, or with several exclamation marks."""
    subject = case.issue.meta.subject
    for merge in case.issue.merge_fields:
        subject = subject.replace(merge.placeholder, "")
    line, fix = case.meta_line("subject"), "write it as you would say it"
    if subject.isupper() and sum(map(str.isalpha, subject)) >= 8:
        yield Problem(line, "the subject is all capitals", fix)
    if subject.count("!") >= 2:
        yield Problem(line, f"the subject has {subject.count('!')} exclamation marks", fix)


@rule("subject/long", Severity.WARNING, applies_to=ALL_MAIL)
def long(case: LintContext) -> Iterator[Problem]:
    """A subject that is cut off everywhere."""
    length = max((len(reading.subject) for reading in case.readings), default=0)
    if length > LONGEST_SUBJECT:
        yield Problem(
            case.meta_line("subject"),
            f"the subject has {length} characters; phones show about 40",
            f"say it in at most {LONGEST_SUBJECT}",
        )


@rule("subject/preheader", Severity.NOTE)
def preheader(case: LintContext) -> Iterator[Problem]:
    """A preheader that adds nothing to the subject."""
    meta, line = case.issue.meta, case.meta_line("preheader")
    if meta.preheader.casefold().startswith(meta.subject.casefold()):
        yield Problem(line, "the preheader repeats the subject", "say what comes next")
    elif len(meta.preheader) < SHORTEST_PREHEADER:
        yield Problem(
            line,
            f"the preheader has only {len(meta.preheader)} of {SHORTEST_PREHEADER} characters",
            "write more, or mail programs add what comes next",
        )
