"""The subject line and the preheader, which show before the mail is opened."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.check.lint_context import LintContext
from newsletter.check.model import Severity
from newsletter.check.rule import ALL_MAIL, Problem, rule

LONGEST_SUBJECT = 78
"""Characters: the line length that RFC 5322 section 2.1.1 recommends."""
SHORTEST_PREHEADER = 30
"""Characters; below this, mail programs add the first words of the mail."""

# Outlook writes AW and WG in German.
_REPLY = re.compile(r"\s*(?:re|fwd?|aw|wg)\s*(?:\[\d+\]\s*)?:", re.IGNORECASE)


@rule("subject/reply", Severity.BLOCKER, applies_to=ALL_MAIL)
def reply(context: LintContext) -> Iterator[Problem]:
    """A subject that looks like a reply or a forward (CAN-SPAM: no deceptive subjects)."""
    if found := _REPLY.match(context.issue.meta.subject):
        yield Problem(
            context.meta_line("subject"),
            f"the subject starts with “{found[0].strip()}”, as if it were a reply or a forward",
            "remove that, and start with what the issue is about",
        )


@rule("subject/shouting", Severity.WARNING, applies_to=ALL_MAIL)
def shouting(context: LintContext) -> Iterator[Problem]:
    """A subject in all capitals, or with several exclamation marks."""
    # The placeholders are capitals themselves.
    subject = context.issue.meta.subject
    for merge in context.issue.merge_fields:
        subject = subject.replace(merge.placeholder, "")
    line, fix = (
        context.meta_line("subject"),
        "use normal capitalization and at most one exclamation mark",
    )
    if subject.isupper() and sum(map(str.isalpha, subject)) >= 8:
        yield Problem(line, "the subject is in all capitals", fix)
    if subject.count("!") >= 2:
        yield Problem(line, f"the subject has {subject.count('!')} exclamation marks", fix)


@rule("subject/long", Severity.WARNING, applies_to=ALL_MAIL)
def long(context: LintContext) -> Iterator[Problem]:
    """A subject that is too long for any inbox."""
    length = max((len(mail.subject) for mail in context.mails), default=0)
    if length > LONGEST_SUBJECT:
        yield Problem(
            context.meta_line("subject"),
            f"the subject has {length} characters; phones show about 40",
            f"shorten it to {LONGEST_SUBJECT} characters or less",
        )


@rule("subject/preheader", Severity.NOTE)
def preheader(context: LintContext) -> Iterator[Problem]:
    """A preheader that adds nothing to the subject."""
    meta, line = context.issue.meta, context.meta_line("preheader")
    if meta.preheader.casefold().startswith(meta.subject.casefold()):
        yield Problem(line, "the preheader repeats the subject", "add something new to it")
    elif len(meta.preheader) < SHORTEST_PREHEADER:
        yield Problem(
            line,
            f"the preheader has only {len(meta.preheader)} characters; mail programs add the"
            " first words of the mail to it",
            f"write at least {SHORTEST_PREHEADER} characters",
        )
