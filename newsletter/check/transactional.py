"""Checks of mail from a template alone, such as a confirmation.

To the rules it is an article without blocks whose source is its template.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from newsletter.check.lint_context import LintContext
from newsletter.check.model import Finding
from newsletter.check.rule import MailKind
from newsletter.check.rules import RULES
from newsletter.content.model import FrontMatter, Issue
from newsletter.render.model import CompiledIssue
from newsletter.render.slots import preview_part
from newsletter.settings.model import Settings

_NO_PLACEHOLDER = "\0"


def check_message(
    compiled: CompiledIssue, settings: Settings, *, headers: Mapping[str, str], can_leave: bool
) -> list[Finding]:
    """Run every rule that applies on one transactional message.

    Args:
        compiled: What its template, ``templates/email/{slug}.mjml``, compiled to.
        settings: The publication.
        headers: Those of the finished message, with `PREVIEW_TOKEN` in place of tokens.
        can_leave: Whether its recipients are on a list, and so must be able to unsubscribe.

    Returns:
        The findings in the order of the rules, each once.
    """
    (variant,) = compiled.variants
    path = settings.templates / "email" / f"{compiled.slug}.mjml"
    meta = FrontMatter(
        subject=preview_part(variant.subject, {}),
        preheader=preview_part(variant.preheader, {}),
        date=datetime.date.min,
        slug=compiled.slug,
        title=compiled.title,
        lang=compiled.lang,
        template=compiled.slug,
    )
    source = path.read_text(encoding="utf-8")
    issue = Issue(path, source, meta, {}, (), (), (), (), _NO_PLACEHOLDER)
    context = LintContext(issue, compiled, settings, headers=headers, can_leave=can_leave)
    rules = (rule for rule in RULES if MailKind.TRANSACTIONAL in rule.applies_to)
    return list(dict.fromkeys(finding for rule in rules for finding in rule.findings(context)))
