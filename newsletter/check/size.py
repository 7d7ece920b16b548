"""Size: Gmail clips a mail at about 102 KB of HTML, and the unsubscribe link with it."""

from __future__ import annotations

import quopri
from collections.abc import Iterator

from newsletter.check.lint_context import LintContext
from newsletter.check.model import Severity
from newsletter.check.rule import ALL_MAIL, Problem, rule

LARGE = 90 * 1024
CLIPPED = 102 * 1024
"""Bytes of the HTML part, as UTF-8 or as quoted-printable, whichever is more."""

_FIX = "shorten the article, or move a part to a web page and link to it"


@rule("size/clipped", Severity.BLOCKER, applies_to=ALL_MAIL)
def clipped(context: LintContext) -> Iterator[Problem]:
    """HTML that Gmail clips."""
    size = html_size(context)
    if size > CLIPPED:
        yield Problem(1, f"the HTML part is {size / 1024:.0f} KB; Gmail clips mail at 102 KB", _FIX)


@rule("size/large", Severity.WARNING, applies_to=ALL_MAIL)
def large(context: LintContext) -> Iterator[Problem]:
    """HTML that is close to being clipped."""
    size = html_size(context)
    if LARGE < size <= CLIPPED:
        yield Problem(1, f"the HTML part is {size / 1024:.0f} KB; keep it under 90 KB", _FIX)


def html_size(context: LintContext) -> int:
    """Bytes of the largest variant's HTML part as it is sent (RFC 2045 section 6.7)."""
    # Where Gmail counts is not documented: take the larger of both forms.
    raws = (mail.html.encode("utf-8", "surrogatepass") for mail in context.mails)
    return max((max(len(raw), len(quopri.encodestring(raw))) for raw in raws), default=0)
