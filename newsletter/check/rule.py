"""What a rule is: a name, a severity, and one small function that looks at a case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from newsletter.check.lint_context import LintContext
from newsletter.check.model import Finding, Severity


@dataclass(frozen=True, slots=True)
class Problem:
    """What a rule's function yields. Without ``file`` it stands in the article."""

    line: int
    message: str
    fix: str
    file: str = ""


class MailKind(StrEnum):
    """What a rule may be asked about."""

    ISSUE = "issue"
    TRANSACTIONAL = "transactional"
    """From a template alone: confirmations and their like, and welcomes."""


ISSUES = frozenset({MailKind.ISSUE})
"""For what looks at an article: its references, its disclaimer, its merge fields."""
TRANSACTIONAL = frozenset({MailKind.TRANSACTIONAL})
ALL_MAIL = frozenset(MailKind)


CheckFunction = Callable[[LintContext], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One named rule.

    ``name`` is ``group/rule``; ``applies_to``: which mail it is asked about; ``live``: it runs for
    a live send only.
    """

    name: str
    severity: Severity
    look: CheckFunction
    applies_to: frozenset[MailKind] = ISSUES
    live: bool = False

    @property
    def group(self) -> str:
        """The part of the name before the slash."""
        return self.name.partition("/")[0]

    def findings(self, case: LintContext) -> Iterator[Finding]:
        """What this rule says of a case."""
        for hit in self.look(case):
            file = hit.file or case.file
            yield Finding(self.name, self.severity, file, hit.line, hit.message, hit.fix)


def rule(
    name: str,
    severity: Severity,
    *,
    applies_to: frozenset[MailKind] = ISSUES,
    live: bool = False,
) -> Callable[[CheckFunction], Rule]:
    """Make a rule of the function below."""
    return lambda look: Rule(name, severity, look, applies_to, live)
