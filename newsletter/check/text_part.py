"""The text part says all that the HTML part says: some read nothing else."""

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
from newsletter.content.model import Reference

LONGEST_LINE = 998
"""Octets without the line's end (RFC 5322 section 2.1.1)."""

_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
_MARKS = re.compile(r"^ *(?:[|>] ?)+|\[\d+(?:,\d+)*\]|<[^<>\s]+>|[*_]", re.MULTILINE)
"""What only the text part has, among words and at the start of a line within a box or quote."""

_PUBMED = "ncbi.nlm.nih.gov"


@rule("text-part/empty", Severity.BLOCKER, applies_to=ALL_MAIL)
def empty(case: LintContext) -> Iterator[Problem]:
    """No words in the text part."""
    if any(not reading.text.strip() for reading in case.readings):
        yield Problem(1, "the text part is empty", "write the article out", case.text_template)


@rule("text-part/long-line", Severity.BLOCKER, applies_to=ALL_MAIL)
def long_line(case: LintContext) -> Iterator[Problem]:
    """A line that mail servers may break or refuse."""
    for reading in case.readings:
        for line in reading.text.split("\n"):
            length = len(line.encode("utf-8", "surrogatepass"))
            if length > LONGEST_LINE:
                yield Problem(
                    case.line_of(max(line.split(), key=len).strip("<>().,")),
                    f"a line of the text part has {length} octets; {LONGEST_LINE} is the most",
                    "shorten the address or word that cannot be wrapped",
                )


@rule("text-part/missing-link", Severity.BLOCKER, applies_to=ALL_MAIL)
def missing_link(case: LintContext) -> Iterator[Problem]:
    """A link that readers of the text part do not get."""
    for reading in _with_text(case):
        for link in reading.links:
            if not _has_link(reading.text, link):
                file, line = case.place_of(link.href)
                yield Problem(
                    line,
                    f"the text part lacks the link {link.href}",
                    f"write it out in {case.text_template}",
                    file,
                )


@rule("text-part/missing-heading", Severity.WARNING, applies_to=ALL_MAIL)
def missing_heading(case: LintContext) -> Iterator[Problem]:
    """A heading that the text part does not have."""
    for reading in _with_text(case):
        text = _plain(reading.text)
        for _, heading in reading.headings:
            if _plain(heading) not in text:
                yield Problem(
                    case.line_of(heading),
                    f"the text part lacks the heading “{heading}”",
                    f"write it out in {case.text_template}",
                )


@rule("text-part/missing-column", Severity.WARNING)
def missing_column(case: LintContext) -> Iterator[Problem]:
    """A table whose values stand in the text part without the name of their column."""
    for reading in _with_text(case):
        text = _plain(reading.text)
        for name, times in _columns(reading).items():
            if len(re.findall(rf"{re.escape(_plain(name))} ?:", text)) < times:
                yield Problem(
                    case.line_of(name),
                    f"the text part lacks the column name “{name}” before a value",
                    f"say “{name}: …” in each row, or mend {case.text_template}",
                )


@rule("text-part/missing-figure", Severity.BLOCKER)
def missing_figure(case: LintContext) -> Iterator[Problem]:
    """A number of the article that stands in the HTML part only."""
    written = _written_figures(case)
    for reading in _with_text(case):
        there = set(_FIGURE.findall(reading.text))
        for figure in dict.fromkeys(_FIGURE.findall(reading.words)):
            if figure in written and figure not in there:
                yield Problem(
                    written[figure],
                    f"the text part lacks the figure {figure}",
                    f"say it in a sentence, or mend {case.text_template}",
                )


@rule("text-part/missing-reference", Severity.BLOCKER)
def missing_reference(case: LintContext) -> Iterator[Problem]:
    """A reference that the HTML part lists and the text part does not."""
    for reading in _with_text(case):
        text = _plain(reading.text)
        for reference in case.issue.cited:
            start = _opening(reference)
            if start and start in _plain(reading.words) and start not in text:
                yield Problem(
                    reference.line,
                    f"the text part lacks reference [^{reference.key}]",
                    f"list the references in {case.text_template}",
                )


def _with_text(case: LintContext) -> Iterator[RenderedMail]:
    return (reading for reading in case.readings if reading.text.strip())


def _columns(reading: RenderedMail) -> Counter[str]:
    """Each name of a table's column, and how many values stand below it."""
    columns: Counter[str] = Counter()
    for name, values in reading.columns:
        columns[name] += sum(not is_blank(value) for value in values)
    return columns


def _has_link(text: str, link: Link) -> bool:
    scheme, _, rest = link.href.partition(":")
    if not link.href or link.href.startswith("#"):
        return True
    if link.href in text or unquote(link.href) in text:
        return True
    if scheme in {"mailto", "tel"}:
        return rest.partition("?")[0] in text or _plain(link.text) in _plain(text)
    return _PUBMED in link.href and link.text in text


def _written_figures(case: LintContext) -> dict[str, int]:
    """The numbers that the article's own words hold, with their first lines."""
    figures: dict[str, int] = {}
    for passage in case.passages:
        for found in _FIGURE.finditer(passage.text.replace(CITED, " ")):
            line = passage.line + passage.text.count("\n", 0, found.start())
            figures.setdefault(found[0], line)
    return figures


def _opening(reference: Reference) -> str:
    """The first words of an entry: enough to know it by."""
    return _plain(" ".join(reference.text.split()[:6]))


def _plain(text: str) -> str:
    """Words as both parts have them: no citation numbers, emphasis, addresses or boxes."""
    return squeeze(_MARKS.sub("", text)).casefold()
