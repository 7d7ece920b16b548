"""Findings as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict

from newsletter.check.model import Finding, Severity

_COLOR = {Severity.BLOCKER: "31", Severity.WARNING: "33", Severity.NOTE: "36"}
_WORD = {Severity.BLOCKER: "blocker: ", Severity.WARNING: "", Severity.NOTE: "note: "}


def format_findings(findings: Iterable[Finding], *, color: bool) -> str:
    """Findings in the style of a compiler, one per line; without a severity, it is a warning.

    Args:
        findings: In the order to print.
        color: Also mark severities with ANSI colors (ECMA-48 section 8.3.117).
    """
    lines = []
    for finding in findings:
        name = f"{_WORD[finding.severity]}{finding.rule}"
        if color:
            name = f"\x1b[{_COLOR[finding.severity]}m{name}\x1b[0m"
        lines.append(f"{finding.file}:{finding.line}: {name}  {finding.message}  ({finding.fix})")
    return "\n".join(lines)


def findings_json(findings: Iterable[Finding]) -> str:
    """``{"findings": [{rule, severity, file, line, message, fix}]}``."""
    return json.dumps({"findings": [asdict(f) for f in findings]}, ensure_ascii=False, indent=2)
