"""References are data: every citation has its entry, every figure its citation."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.check.lint_context import LintContext
from newsletter.check.model import Severity
from newsletter.check.rule import Problem, rule
from newsletter.check.sentences import Sentence
from newsletter.check.statistics import find_statistic
from newsletter.content.model import Reference

_DOI = re.compile(r"(?i)\bdoi(?:\.org/|\s*:\s*|\s+(?=10))(?:https?://(?:dx\.)?doi\.org/)?(\S*)")
_WELL_FORMED = re.compile(r"10\.\d{4,9}(?:\.\d+)*/\S+")


@rule("references/missing", Severity.BLOCKER)
def missing(case: LintContext) -> Iterator[Problem]:
    """A citation whose key no entry has."""
    for citation in case.issue.citations:
        if citation.number is None:
            yield Problem(
                citation.line,
                f"[^{citation.key}] has no entry",
                f"add a line that starts with [^{citation.key}]:",
            )


@rule("references/duplicate-key", Severity.BLOCKER)
def duplicate_key(case: LintContext) -> Iterator[Problem]:
    """Two entries under one key: readers would get the first, whichever was meant."""
    for key, lines in case.issue.duplicate_keys.items():
        for line in lines[1:]:
            yield Problem(
                line,
                f"[^{key}] is defined already on line {lines[0]}",
                "give this entry a key of its own, or remove it",
            )


@rule("references/malformed-doi", Severity.BLOCKER)
def malformed_doi(case: LintContext) -> Iterator[Problem]:
    """A DOI that leads nowhere: ``10.``, four to nine digits, a slash and a suffix."""
    for reference in case.issue.references:
        for doi in _malformed(reference):
            yield Problem(
                reference.line,
                f"[^{reference.key}] has a malformed DOI: {doi or 'nothing after doi:'}",
                "copy it whole from doi.org, like doi:10.1186/s10194-017-0753-y",
            )


@rule("references/unused", Severity.WARNING)
def unused(case: LintContext) -> Iterator[Problem]:
    """An entry that is never cited."""
    for reference in case.issue.references:
        if reference.number is None:
            yield Problem(
                reference.line, f"[^{reference.key}] is never cited", "remove it, or cite it"
            )


@rule("references/no-locator", Severity.WARNING)
def no_locator(case: LintContext) -> Iterator[Problem]:
    """An entry that gives a reader no way to look it up."""
    for r in case.issue.references:
        if not (r.doi or r.pmid or r.pmcid or r.urls or _malformed(r)):
            yield Problem(
                r.line,
                f"[^{r.key}] has no DOI, PMID or URL",
                "add doi:…, PMID: … or a link",
            )


@rule("references/duplicate", Severity.WARNING)
def duplicate(case: LintContext) -> Iterator[Problem]:
    """Two entries for one source: same DOI, same PMID or same words."""
    seen: dict[str, Reference] = {}
    for reference in sorted(case.issue.references, key=lambda r: r.line):
        marks = _identities(reference)
        twin = next((seen[mark] for mark in marks if mark in seen), None)
        if twin:
            yield Problem(
                reference.line,
                f"[^{reference.key}] is the same source as [^{twin.key}] on line {twin.line}",
                f"cite [^{twin.key}] instead, and remove this entry",
            )
        for mark in marks:
            seen.setdefault(mark, reference)


@rule("references/uncited-statistic", Severity.WARNING)
def uncited_statistic(case: LintContext) -> Iterator[Problem]:
    """A figure whose sentence has no citation, nor the paragraph or block it belongs to."""
    for sentence, figure in _statistics(case):
        if not sentence.covered:
            yield Problem(
                sentence.line,
                f"“{figure}” has no citation",
                "cite its source in the same sentence: [^key]",
            )


def _statistics(case: LintContext) -> Iterator[tuple[Sentence, str]]:
    for passage in case.passages:
        if not passage.heading:
            for sentence in passage.sentences:
                if figure := find_statistic(sentence.text):
                    yield sentence, figure


def _malformed(reference: Reference) -> list[str]:
    found = (doi.rstrip(".,;:)]>") for doi in _DOI.findall(reference.text))
    return [doi for doi in found if not _WELL_FORMED.fullmatch(doi) or "…" in doi or ".." in doi]


def _identities(reference: Reference) -> list[str]:
    words = re.findall(r"\w+", reference.text.casefold())
    marks = [
        f"doi:{reference.doi.casefold()}" if reference.doi else "",
        f"pmid:{reference.pmid}" if reference.pmid else "",
        " ".join(words) if len(words) > 3 else "",
    ]
    return [mark for mark in marks if mark]
