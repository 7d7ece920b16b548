"""What a check says: the values that `check` owns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding weighs."""

    BLOCKER = "blocker"
    """Refuses a live send."""
    WARNING = "warning"
    """Shown to whoever approves, who can waive it by name with a reason."""
    NOTE = "note"
    """Worth reading."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: where it stands, what it is, how to mend it. ``line`` counts from 1."""

    rule: str
    severity: Severity
    file: str
    line: int
    message: str
    fix: str
