"""Size: Gmail cuts a mail off at about 102 KB of HTML, with the unsubscribe link below the cut."""

from __future__ import annotations

import quopri
from collections.abc import Iterator

from newsletter.check.lint_context import LintContext
from newsletter.check.model import Severity
from newsletter.check.rule import ALL_MAIL, Problem, rule

LARGE = 90 * 1024
CLIPPED = 102 * 1024
"""Bytes of the HTML part, as UTF-8 or as quoted-printable, whichever is more."""


@rule("size/clipped", Severity.BLOCKER, applies_to=ALL_MAIL)
def clipped(case: LintContext) -> Iterator[Problem]:
    """HTML that Gmail cuts off."""
    size = html_size(case)
    if size > CLIPPED:
        yield Problem(1, f"the HTML part has {size / 1024:.0f} KB; Gmail cuts at 102", _FIX)


@rule("size/large", Severity.WARNING, applies_to=ALL_MAIL)
def large(case: LintContext) -> Iterator[Problem]:
    """HTML that is close to being cut off."""
    size = html_size(case)
    if LARGE < size <= CLIPPED:
        yield Problem(1, f"the HTML part has {size / 1024:.0f} KB; keep it under 90", _FIX)


def html_size(case: LintContext) -> int:
    """Bytes of the largest variant's HTML part as it travels (RFC 2045 section 6.7)."""
    return max((_travelling(reading.html) for reading in case.readings), default=0)


def _travelling(html: str) -> int:
    raw = html.encode("utf-8", "surrogatepass")
    return max(len(raw), len(quopri.encodestring(raw)))


_FIX = "shorten the article, or put the rest on a page and link to it"
