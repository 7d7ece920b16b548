"""All rules in order, and running them."""

from __future__ import annotations

from newsletter.check import (
    accessibility,
    audience,
    compliance,
    disclaimer,
    images,
    language,
    links,
    merge_fields,
    placeholders,
    references,
    size,
    subject,
    text_part,
)
from newsletter.check.lint_context import LintContext
from newsletter.check.model import Finding, Severity
from newsletter.check.rule import MailKind, Rule
from newsletter.content.model import Issue
from newsletter.render.model import CompiledIssue
from newsletter.settings.model import Settings

RULES: tuple[Rule, ...] = (
    references.missing,
    references.duplicate_key,
    references.malformed_doi,
    references.unused,
    references.no_locator,
    references.duplicate,
    references.uncited_statistic,
    disclaimer.missing,
    disclaimer.altered,
    disclaimer.language,
    compliance.postal_address,
    compliance.sample_address,
    compliance.unsubscribe,
    compliance.public_url,
    compliance.freemail_sender,
    compliance.sender_name,
    compliance.condition_list,
    compliance.claim,
    subject.reply,
    subject.shouting,
    subject.long,
    subject.preheader,
    links.empty,
    links.relative,
    links.scheme,
    links.insecure,
    links.local,
    links.bare_ip,
    links.shortener,
    links.example_domain,
    links.vague_text,
    links.personal_data,
    links.merge_field,
    images.alt,
    images.alt_file_name,
    images.too_heavy,
    images.heavy,
    images.wide,
    images.no_width,
    language.no_catalog,
    language.other_direction,
    accessibility.language,
    accessibility.direction,
    accessibility.heading_order,
    accessibility.empty_heading,
    accessibility.table_role,
    accessibility.small_text,
    accessibility.low_contrast,
    accessibility.ambiguous_links,
    size.clipped,
    size.large,
    placeholders.filler,
    placeholders.merge_marks,
    placeholders.citation_marks,
    audience.unknown_topic,
    merge_fields.undeclared,
    merge_fields.unknown_column,
    merge_fields.no_default,
    text_part.empty,
    text_part.long_line,
    text_part.missing_link,
    text_part.missing_heading,
    text_part.missing_column,
    text_part.missing_figure,
    text_part.missing_reference,
    compliance.one_click,
)
"""In the order of `docs/checks.md`. Each says which kinds of mail it applies to."""

_WEIGHT = {severity: weight for weight, severity in enumerate(Severity)}


def run_checks(
    issue: Issue,
    compiled: CompiledIssue,
    settings: Settings,
    *,
    columns: frozenset[str] | None = None,
    live: bool = False,
    lists: frozenset[str] | None = None,
) -> list[Finding]:
    """Run every rule that applies on one article.

    Args:
        issue: The article, with the blocks of every audience.
        compiled: What it compiled to.
        settings: The publication, its disclaimers and merge fields.
        columns: The audience's columns and attributes; None: unknown, and not checked.
        lists: The names of all lists, which audience blocks may name; None: unknown.
        live: Also run the rules that matter only for a live send.

    Returns:
        The findings by file, line and severity, each once.
    """
    context = LintContext(issue, compiled, settings, columns, live, lists)
    rules = (r for r in RULES if MailKind.ISSUE in r.applies_to and (live or not r.live))
    # A dict, since several variants of one article have the same problem.
    found = dict.fromkeys(finding for rule in rules for finding in rule.findings(context))
    return sorted(found, key=lambda f: (f.file, f.line, _WEIGHT[f.severity]))
