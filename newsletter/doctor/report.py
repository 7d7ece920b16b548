"""The results of all checks, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict

from newsletter.dns_checks.model import CheckResult, CheckStatus

_COLOR = {
    CheckStatus.OK: "32",
    CheckStatus.WARNING: "33",
    CheckStatus.PROBLEM: "31",
    CheckStatus.UNKNOWN: "35",
    CheckStatus.SKIPPED: "2",
}
_BAD = {CheckStatus.PROBLEM, CheckStatus.UNKNOWN}
_WIDTH = max(map(len, CheckStatus))


def is_fine(findings: Mapping[str, CheckResult]) -> bool:
    """Whether nothing is a problem or unknown."""
    return not any(finding.verdict in _BAD for finding in findings.values())


def format_findings(findings: Mapping[str, CheckResult], *, color: bool) -> str:
    """A table of status, check and what was seen, with the next step below where there is one.

    Args:
        findings: By the name of the check.
        color: Mark the status with ANSI colors, too (ECMA-48 section 8.3.117).
    """
    width = max(map(len, findings))
    lines: list[str] = []
    for name, found in findings.items():
        status = f"{found.verdict:<{_WIDTH}}"
        if color:
            status = f"\x1b[{_COLOR[found.verdict]}m{status}\x1b[0m"
        lines.append(f"{status}  {name:<{width}}  {found.seen}")
        if found.fix:
            lines.append(f"{'':{_WIDTH + width + 4}}{found.fix}")
    return "\n".join(lines)


def summary(findings: Mapping[str, CheckResult]) -> str:
    """The number of results of each status."""
    counts = Counter(finding.verdict for finding in findings.values())
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in CheckStatus if counts[verdict])


def findings_object(findings: Mapping[str, CheckResult]) -> dict[str, object]:
    """``{"fine": …, "checks": [{check, verdict, seen, fix}]}``, for JSON."""
    checks = [{"check": name, **asdict(found)} for name, found in findings.items()]
    return {"fine": is_fine(findings), "checks": checks}
