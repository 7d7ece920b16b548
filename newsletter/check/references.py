"""References: every citation has an entry, every figure a citation."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.check.lint_context import LintContext
from newsletter.check.model import Severity
from newsletter.check.rule import Problem, rule
from newsletter.check.statistics import find_statistic
from newsletter.content.model import Reference

_DOI = re.compile(r"(?i)\bdoi(?:\.org/|\s*:\s*|\s+(?=10))(?:https?://(?:dx\.)?doi\.org/)?(\S*)")
_WELL_FORMED = re.compile(r"10\.\d{4,9}(?:\.\d+)*/\S+")


@rule("references/missing", Severity.BLOCKER)
def missing(context: LintContext) -> Iterator[Problem]:
    """A citation without an entry."""
    for citation in context.issue.citations:
        if citation.number is None:
            yield Problem(
                citation.line,
                f"[^{citation.key}] has no entry in the references",
                f"add a line that starts with [^{citation.key}]:",
            )


@rule("references/duplicate-key", Severity.BLOCKER)
def duplicate_key(context: LintContext) -> Iterator[Problem]:
    """Two entries with one key: only the first would be shown, whichever was meant."""
    for key, lines in context.issue.duplicate_keys.items():
        for line in lines[1:]:
            yield Problem(
                line,
                f"[^{key}] is already defined on line {lines[0]}",
                "give this entry another key, or remove it",
            )


@rule("references/malformed-doi", Severity.BLOCKER)
def malformed_doi(context: LintContext) -> Iterator[Problem]:
    """A DOI that is not ``10.``, four to nine digits, a slash and a suffix."""
    for reference in context.issue.references:
        for doi in _malformed(reference):
            yield Problem(
                reference.line,
                f"[^{reference.key}] has an invalid DOI: {doi or 'nothing after doi:'}",
                "copy the full DOI from doi.org, such as doi:10.1186/s10194-017-0753-y",
            )


@rule("references/unused", Severity.WARNING)
def unused(context: LintContext) -> Iterator[Problem]:
    """An entry that is never cited."""
    for reference in context.issue.references:
        if reference.number is None:
            yield Problem(
                reference.line, f"[^{reference.key}] is never cited", "remove it, or cite it"
            )


@rule("references/no-locator", Severity.WARNING)
def no_locator(context: LintContext) -> Iterator[Problem]:
    """An entry that readers cannot look up."""
    for r in context.issue.references:
        # A malformed DOI has a finding of its own.
        if not (r.doi or r.pmid or r.pmcid or r.urls or _malformed(r)):
            yield Problem(
                r.line,
                f"[^{r.key}] has no DOI, PMID or link",
                "add doi:…, PMID: … or a link, so that readers can look it up",
            )


@rule("references/duplicate", Severity.WARNING)
def duplicate(context: LintContext) -> Iterator[Problem]:
    """Two entries for one source: the same DOI, PMID or words."""
    seen: dict[str, Reference] = {}
    # In the order of the file, so that the later entry is the duplicate.
    for reference in sorted(context.issue.references, key=lambda r: r.line):
        words = re.findall(r"\w+", reference.text.casefold())
        identities = (
            f"doi:{reference.doi.casefold()}" if reference.doi else "",
            f"pmid:{reference.pmid}" if reference.pmid else "",
            # "Ibid." or a bare name may well come twice.
            " ".join(words) if len(words) > 3 else "",
        )
        marks = [identity for identity in identities if identity]
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
def uncited_statistic(context: LintContext) -> Iterator[Problem]:
    """A figure without a citation in its sentence, paragraph or block."""
    for passage in context.passages:
        # A heading sums up what the text below it says and cites.
        for sentence in () if passage.heading else passage.sentences:
            if not sentence.covered and (figure := find_statistic(sentence.text)):
                yield Problem(
                    sentence.line,
                    f"the figure “{figure}” has no citation",
                    "cite its source in the same sentence: [^key]",
                )


def _malformed(reference: Reference) -> list[str]:
    # Punctuation after a DOI belongs to the sentence.
    found = (doi.rstrip(".,;:)]>") for doi in _DOI.findall(reference.text))
    return [doi for doi in found if not _WELL_FORMED.fullmatch(doi) or "…" in doi or ".." in doi]
