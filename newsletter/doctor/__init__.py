"""Settings in, findings out: whether the world will take our mail, and let readers leave.

It asks DNS and the public URL, and nobody else.
"""

from newsletter.doctor.checks import CHECKS, examine
from newsletter.doctor.model import Finding, Sender, Verdict
from newsletter.doctor.report import findings_object, format_findings, is_fine, summary
from newsletter.doctor.resolver import Resolver

__all__ = [
    "CHECKS",
    "Finding",
    "Resolver",
    "Sender",
    "Verdict",
    "examine",
    "findings_object",
    "format_findings",
    "is_fine",
    "summary",
]
