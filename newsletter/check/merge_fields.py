"""Merge fields: declared, filled for everyone, and known to the audience."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.check.lint_context import SETTINGS_FILE, LintContext
from newsletter.check.model import Severity
from newsletter.check.rule import Problem, rule
from newsletter.content.suggest import did_you_mean


@rule("merge-fields/undeclared", Severity.BLOCKER)
def undeclared(case: LintContext) -> Iterator[Problem]:
    """A field that the settings do not know."""
    declared = case.settings.merge_fields
    for use in case.issue.merge_fields:
        if use.name not in declared:
            known = ", ".join(sorted(declared)) or "none yet"
            near = did_you_mean(use.name, declared, otherwise="")
            yield Problem(
                use.line,
                f"{{{{ {use.name} }}}} is not declared",
                f"{near}{' Or ' if near else ''}declare [merge_fields.{use.name}]"
                f" in {SETTINGS_FILE} (there: {known})",
            )


@rule("merge-fields/unknown-column", Severity.BLOCKER)
def unknown_column(case: LintContext) -> Iterator[Problem]:
    """A field whose column this audience does not have."""
    if case.columns is None:
        return
    for use in case.issue.merge_fields:
        if use.name in case.settings.merge_fields and use.name not in case.columns:
            columns = f"its columns are: {', '.join(sorted(case.columns)) or 'none'}"
            yield Problem(
                use.line,
                f"the audience has no column {use.name} for {{{{ {use.name} }}}}",
                did_you_mean(use.name, case.columns, otherwise=columns),
            )


@rule("merge-fields/no-default", Severity.WARNING)
def no_default(case: LintContext) -> Iterator[Problem]:
    """A field that leaves a hole ("Hello ,") where a subscriber has no value."""
    for use in case.issue.merge_fields:
        if not (use.default or "").strip():
            yield Problem(
                use.line,
                f"{{{{ {use.name} }}}} has no default for readers without one",
                f'write {{{{ {use.name} | default("…") }}}}',
            )
