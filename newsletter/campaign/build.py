"""content -> render -> check: one article, read, compiled and judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from newsletter.check.model import Finding, Severity
from newsletter.check.rules import run_checks
from newsletter.content.model import Issue
from newsletter.content.reader import read_issue
from newsletter.render.compile import compile_issue
from newsletter.render.model import CompiledIssue
from newsletter.settings.model import Settings


@dataclass(frozen=True, slots=True)
class BuiltIssue:
    """An article with what it compiled to and what the checks say of it."""

    issue: Issue
    compiled: CompiledIssue
    findings: list[Finding]

    @property
    def blockers(self) -> list[Finding]:
        """The findings that refuse a live send."""
        return [f for f in self.findings if f.severity is Severity.BLOCKER]


def build(
    path: Path,
    settings: Settings,
    *,
    columns: frozenset[str] | None = None,
    live: bool = False,
    lists: frozenset[str] | None = None,
) -> BuiltIssue:
    """Read, compile and check one article.

    Args:
        path: The Markdown file, inside the project's folder.
        columns: The audience's columns, to check merge fields against.
        live: Whether to add the checks that only a live send needs.
        lists: The names of all lists, to check audience blocks against.

    Raises:
        InputError: The article or a template cannot be read or compiled.
    """
    issue = read_issue(path, root=settings.root)
    compiled = compile_issue(issue, settings)
    findings = run_checks(issue, compiled, settings, columns=columns, live=live, lists=lists)
    return BuiltIssue(issue, compiled, findings)
