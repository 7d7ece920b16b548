"""Findings for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from newsletter.dns_checks.model import CheckResult, CheckStatus

_COLOUR = {
    CheckStatus.OK: "32",
    CheckStatus.WARNING: "33",
    CheckStatus.PROBLEM: "31",
    CheckStatus.UNKNOWN: "35",
    CheckStatus.SKIPPED: "2",
}
_BAD = {CheckStatus.PROBLEM, CheckStatus.UNKNOWN}
_WIDTH = max(map(len, CheckStatus))


def is_fine(findings: Mapping[str, CheckResult]) -> bool:
    """Whether there is no problem and nothing unknown."""
    return not any(finding.verdict in _BAD for finding in findings.values())


def format_findings(findings: Mapping[str, CheckResult], *, color: bool) -> str:
    """A table of verdict, check and what was seen, with the next step below where there is one.

    Args:
        findings: By the name of the check.
        color: Mark verdicts with ANSI colors as well (ECMA-48 section 8.3.117).
    """
    width = max(map(len, findings))
    return "\n".join(_entry(name, found, width, color) for name, found in findings.items())


def summary(findings: Mapping[str, CheckResult]) -> str:
    """How many of each verdict."""
    counts = Counter(finding.verdict for finding in findings.values())
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in CheckStatus if counts[verdict])


def findings_object(findings: Mapping[str, CheckResult]) -> dict[str, Any]:
    """``{"fine": …, "checks": [{check, verdict, seen, fix}]}``, to be written as JSON."""
    checks = [{"check": name, **asdict(found)} for name, found in findings.items()]
    return {"fine": is_fine(findings), "checks": checks}


def _entry(name: str, found: CheckResult, width: int, color: bool) -> str:
    verdict = f"{found.verdict:<{_WIDTH}}"
    if color:
        verdict = f"\x1b[{_COLOUR[found.verdict]}m{verdict}\x1b[0m"
    step = f"\n{'':{_WIDTH + width + 4}}{found.fix}" if found.fix else ""
    return f"{verdict}  {name:<{width}}  {found.seen}{step}"
