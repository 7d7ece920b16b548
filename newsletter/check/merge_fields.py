"""Merge fields: declared, known to the audience, and with a default."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.check.lint_context import SETTINGS_FILE, LintContext
from newsletter.check.model import Severity
from newsletter.check.rule import Problem, rule
from newsletter.content.suggest import did_you_mean


@rule("merge-fields/undeclared", Severity.BLOCKER)
def undeclared(context: LintContext) -> Iterator[Problem]:
    """A field that the settings do not declare."""
    declared = context.settings.merge_fields
    for use in context.issue.merge_fields:
        if use.name not in declared:
            known = ", ".join(sorted(declared)) or "none yet"
            near = did_you_mean(use.name, declared, otherwise="")
            yield Problem(
                use.line,
                f"{{{{ {use.name} }}}} is not declared",
                f"{near}{' Or ' if near else ''}declare [merge_fields.{use.name}]"
                f" in {SETTINGS_FILE} (declared: {known})",
            )


@rule("merge-fields/unknown-column", Severity.BLOCKER)
def unknown_column(context: LintContext) -> Iterator[Problem]:
    """A field whose column this audience does not have."""
    if context.columns is None:
        return
    for use in context.issue.merge_fields:
        # Fields that are not declared are reported as merge-fields/undeclared.
        if use.name in context.settings.merge_fields and use.name not in context.columns:
            columns = f"use one of their columns: {', '.join(sorted(context.columns)) or 'none'}"
            yield Problem(
                use.line,
                f"the subscribers have no column {use.name} to fill {{{{ {use.name} }}}}",
                did_you_mean(use.name, context.columns, otherwise=columns),
            )


@rule("merge-fields/no-default", Severity.WARNING)
def no_default(context: LintContext) -> Iterator[Problem]:
    """A field that leaves a gap ("Hello ,") where a subscriber has no value."""
    for use in context.issue.merge_fields:
        if not (use.default or "").strip():
            yield Problem(
                use.line,
                f"{{{{ {use.name} }}}} has no default for subscribers without a value",
                f'write {{{{ {use.name} | default("…") }}}}',
            )
