"""The text part says all that the HTML part says: some recipients see nothing else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import unquote

from newsletter.check.lint_context import LintContext
from newsletter.check.model import Severity
from newsletter.check.rendered_mail import Link, RenderedMail, is_blank, squeeze
from newsletter.check.rule import ALL_MAIL, Problem, rule
from newsletter.check.sentences import CITED

LONGEST_LINE = 998
"""Octets without the line's end (RFC 5322 section 2.1.1)."""

_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
_MARKS = re.compile(r"^ *(?:[|>] ?)+|\[\d+(?:,\d+)*\]|<[^<>\s]+>|[*_]", re.MULTILINE)
"""What only the text part has: citation numbers, URLs, emphasis, and the marks of boxes."""

_PUBMED = "ncbi.nlm.nih.gov"


@rule("text-part/empty", Severity.BLOCKER, applies_to=ALL_MAIL)
def empty(context: LintContext) -> Iterator[Problem]:
    """A text part without words."""
    if any(not mail.text.strip() for mail in context.mails):
        yield Problem(1, "the text part is empty", "show the article in it", context.text_template)


@rule("text-part/long-line", Severity.BLOCKER, applies_to=ALL_MAIL)
def long_line(context: LintContext) -> Iterator[Problem]:
    """A line that mail servers may break or reject."""
    for mail in context.mails:
        for line in mail.text.split("\n"):
            length = len(line.encode("utf-8", "surrogatepass"))
            if length > LONGEST_LINE:
                yield Problem(
                    context.line_of(max(line.split(), key=len).strip("<>().,")),
                    f"a line of the text part has {length} octets; {LONGEST_LINE} is the limit",
                    "shorten the long address or word in it",
                )


@rule("text-part/missing-link", Severity.BLOCKER, applies_to=ALL_MAIL)
def missing_link(context: LintContext) -> Iterator[Problem]:
    """A link that the text part does not have."""
    for mail in _with_text(context):
        for link in mail.links:
            if not _has_link(mail.text, link):
                file, line = context.place_of(link.href)
                yield Problem(
                    line,
                    f"the text part lacks the link {link.href}",
                    f"add it in {context.text_template}",
                    file,
                )


@rule("text-part/missing-heading", Severity.WARNING, applies_to=ALL_MAIL)
def missing_heading(context: LintContext) -> Iterator[Problem]:
    """A heading that the text part does not have."""
    for mail in _with_text(context):
        text = _plain(mail.text)
        for _, heading in mail.headings:
            if _plain(heading) not in text:
                yield Problem(
                    context.line_of(heading),
                    f"the text part lacks the heading “{heading}”",
                    f"add it in {context.text_template}",
                )


@rule("text-part/missing-column", Severity.WARNING)
def missing_column(context: LintContext) -> Iterator[Problem]:
    """A table whose values are in the text part without the name of their column."""
    for mail in _with_text(context):
        text = _plain(mail.text)
        columns: Counter[str] = Counter()
        for name, values in mail.columns:
            columns[name] += sum(not is_blank(value) for value in values)
        for name, times in columns.items():
            if len(re.findall(rf"{re.escape(_plain(name))} ?:", text)) < times:
                yield Problem(
                    context.line_of(name),
                    f"the text part lacks the column name “{name}” before a value",
                    f"write “{name}: …” in each row, or fix {context.text_template}",
                )


@rule("text-part/missing-figure", Severity.BLOCKER)
def missing_figure(context: LintContext) -> Iterator[Problem]:
    """A number of the article that is in the HTML part only."""
    # Numbers that only the HTML part's layout has (a date, a phone number) are not meant.
    written: dict[str, int] = {}
    for passage in context.passages:
        for found in _FIGURE.finditer(passage.text.replace(CITED, " ")):
            line = passage.line + passage.text.count("\n", 0, found.start())
            written.setdefault(found[0], line)
    for mail in _with_text(context):
        there = set(_FIGURE.findall(mail.text))
        for figure in dict.fromkeys(_FIGURE.findall(mail.words)):
            if figure in written and figure not in there:
                yield Problem(
                    written[figure],
                    f"the text part lacks the number {figure}",
                    f"write it in a sentence, or fix {context.text_template}",
                )


@rule("text-part/missing-reference", Severity.BLOCKER)
def missing_reference(context: LintContext) -> Iterator[Problem]:
    """A reference that the HTML part lists and the text part does not."""
    for mail in _with_text(context):
        text = _plain(mail.text)
        for reference in context.issue.cited:
            # Enough words to recognize an entry; URLs further on differ between the parts.
            start = _plain(" ".join(reference.text.split()[:6]))
            if start and start in _plain(mail.words) and start not in text:
                yield Problem(
                    reference.line,
                    f"the text part lacks reference [^{reference.key}]",
                    f"list the references in {context.text_template}",
                )


def _with_text(context: LintContext) -> Iterator[RenderedMail]:
    # An empty text part is one finding, not one for each thing that it lacks.
    return (mail for mail in context.mails if mail.text.strip())


def _has_link(text: str, link: Link) -> bool:
    scheme, _, rest = link.href.partition(":")
    # Plain text has no links within the mail.
    if not link.href or link.href.startswith("#"):
        return True
    if link.href in text or unquote(link.href) in text:
        return True
    if scheme in {"mailto", "tel"}:
        return rest.partition("?")[0] in text or _plain(link.text) in _plain(text)
    # PubMed numbers are shown without their URL: enough to look them up.
    return _PUBMED in link.href and link.text in text


def _plain(text: str) -> str:
    """Text as both parts have it: no citation numbers, emphasis, addresses or boxes."""
    return squeeze(_MARKS.sub("", text)).casefold()
