"""What a rule is: a name, a severity, and a function that looks at a `LintContext`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from newsletter.check.lint_context import LintContext
from newsletter.check.model import Finding, Severity


@dataclass(frozen=True, slots=True)
class Problem:
    """What a rule's function yields. Without ``file`` the problem is in the article."""

    line: int
    message: str
    fix: str
    file: str = ""


class MailKind(StrEnum):
    """The kinds of mail that rules apply to."""

    ISSUE = "issue"
    TRANSACTIONAL = "transactional"
    """From a template alone: confirmations, welcomes and the like."""


ISSUES = frozenset({MailKind.ISSUE})
"""For rules that need an article: its references, its disclaimer, its merge fields."""
TRANSACTIONAL = frozenset({MailKind.TRANSACTIONAL})
ALL_MAIL = frozenset(MailKind)


CheckFunction = Callable[[LintContext], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One named rule.

    ``name`` is ``group/rule``; ``applies_to``: the kinds of mail it checks; ``live``: it runs for
    live sends only.
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

    def findings(self, context: LintContext) -> Iterator[Finding]:
        """What this rule finds."""
        for problem in self.look(context):
            file = problem.file or context.file
            yield Finding(
                self.name, self.severity, file, problem.line, problem.message, problem.fix
            )


def rule(
    name: str,
    severity: Severity,
    *,
    applies_to: frozenset[MailKind] = ISSUES,
    live: bool = False,
) -> Callable[[CheckFunction], Rule]:
    """Turn the decorated function into a rule."""
    return lambda look: Rule(name, severity, look, applies_to, live)
