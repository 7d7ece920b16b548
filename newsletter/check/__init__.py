"""Issue and compiled issue in, findings out. To add a check: docs/adding-a-check.md."""

from newsletter.check.model import Finding, Severity
from newsletter.check.report import findings_json, format_findings, unwaived
from newsletter.check.rule import Rule
from newsletter.check.rules import RULES, run_checks

__all__ = [
    "RULES",
    "Finding",
    "Rule",
    "Severity",
    "findings_json",
    "format_findings",
    "run_checks",
    "unwaived",
]
