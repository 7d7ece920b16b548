"""Findings for people and for programs, and which of them a waiver settles."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from newsletter.check.model import Finding, Severity

_COLOUR = {Severity.BLOCKER: "31", Severity.WARNING: "33", Severity.NOTE: "36"}
_WORD = {Severity.BLOCKER: "blocker: ", Severity.WARNING: "", Severity.NOTE: "note: "}


def format_findings(findings: Iterable[Finding], *, color: bool) -> str:
    """Findings like a compiler's, one a line; a line that names no severity is a warning.

    Args:
        findings: In the order to print.
        color: Mark severities with ANSI colors as well (ECMA-48 section 8.3.117).
    """
    return "\n".join(_line(finding, color) for finding in findings)


def findings_json(findings: Iterable[Finding]) -> str:
    """``{"findings": [{rule, severity, file, line, message, fix}]}``."""
    return json.dumps({"findings": [asdict(f) for f in findings]}, ensure_ascii=False, indent=2)


def unwaived(findings: Iterable[Finding], waivers: Mapping[str, str]) -> list[Finding]:
    """The findings that still stand.

    A warning is settled by a waiver of its rule with a reason; a blocker never is.

    Args:
        findings: What the checks found.
        waivers: Rule name to reason.
    """
    return [f for f in findings if not _is_waived(f, waivers)]


def _is_waived(finding: Finding, waivers: Mapping[str, str]) -> bool:
    return finding.severity is Severity.WARNING and bool(waivers.get(finding.rule, "").strip())


def _line(finding: Finding, color: bool) -> str:
    name = f"{_WORD[finding.severity]}{finding.rule}"
    if color:
        name = f"\x1b[{_COLOUR[finding.severity]}m{name}\x1b[0m"
    return f"{finding.file}:{finding.line}: {name}  {finding.message}  ({finding.fix})"
