"""Build an issue: read the article, compile it, check it. A send does this exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from newsletter.check.model import Finding, Severity
from newsletter.check.rules import run_checks
from newsletter.content.model import Issue
from newsletter.content.reader import read_issue
from newsletter.errors import RefusedError
from newsletter.render.compile import compile_issue
from newsletter.render.model import CompiledIssue
from newsletter.settings.model import Settings


@dataclass(frozen=True, slots=True)
class BuiltIssue:
    """An article, the compiled issue, and the findings of the checks."""

    issue: Issue
    compiled: CompiledIssue
    findings: list[Finding]

    @property
    def blockers(self) -> list[Finding]:
        """The findings that refuse a live send."""
        return _blockers(self.findings)


class BlockedError(RefusedError):
    """Blockers refuse the send; ``blockers`` holds them, to be shown."""

    def __init__(self, blockers: Sequence[Finding]) -> None:
        number = len(blockers)
        super().__init__(
            f"{number} {'blocker' if number == 1 else 'blockers'} must be fixed; nothing was sent",
            fix=f"fix {'it' if number == 1 else 'them'}, approve again, then send",
        )
        self.blockers = blockers


def build(
    path: Path,
    settings: Settings,
    *,
    columns: frozenset[str] | None = None,
    lists: frozenset[str] | None = None,
) -> BuiltIssue:
    """Read, compile and check one article.

    Args:
        path: The Markdown file, inside the project's folder.
        columns: The columns of the recipients, to check merge fields against.
        lists: The names of all lists, to check audience blocks against.

    Raises:
        InputError: The article or a template cannot be read or compiled.
    """
    issue = read_issue(path, root=settings.root)
    compiled = compile_issue(issue, settings)
    findings = run_checks(issue, compiled, settings, columns=columns, lists=lists)
    return BuiltIssue(issue, compiled, findings)


def live_blockers(built: BuiltIssue, settings: Settings) -> list[Finding]:
    """Find what forbids mail to real people, such as the sample address or an http link."""
    # Not compiled again: what was approved is what is checked.
    return _blockers(run_checks(built.issue, built.compiled, settings, live=True))


def refuse_blockers(blockers: Sequence[Finding]) -> None:
    """Refuse a live send that has blockers.

    Raises:
        BlockedError: There are blockers.
    """
    if blockers:
        raise BlockedError(blockers)


def _blockers(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.BLOCKER]
