"""What the checks return: findings and their severities."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How serious a finding is."""

    BLOCKER = "blocker"
    """Prevents a live send, and cannot be waived."""
    WARNING = "warning"
    """Shown to the approver, who can waive its rule with a reason."""
    NOTE = "note"
    """Worth mail."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem: where it is, what is wrong, how to fix it. ``line`` counts from 1."""

    rule: str
    severity: Severity
    file: str
    line: int
    message: str
    fix: str
