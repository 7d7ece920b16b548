"""Mail from a template alone, such as a confirmation: before the rules that fit it.

To them it is an article without blocks whose source is its template; nothing else is made up.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from newsletter.check import (
    accessibility,
    compliance,
    images,
    links,
    placeholders,
    size,
    subject,
    text_part,
)
from newsletter.check.lint_context import LintContext
from newsletter.check.model import Finding, Severity
from newsletter.check.rule import Rule
from newsletter.content.model import FrontMatter, Issue
from newsletter.render.compile import sender_of
from newsletter.render.model import CompiledIssue, Part, Variant
from newsletter.settings.model import Settings

LETTER_RULES: tuple[Rule, ...] = (
    compliance.postal_address,
    compliance.public_url,
    compliance.freemail_sender,
    compliance.sender_name,
    compliance.condition_list,
    subject.reply,
    subject.shouting,
    subject.long,
    links.empty,
    links.relative,
    links.scheme,
    links.insecure,
    links.local,
    links.bare_ip,
    links.shortener,
    links.vague_text,
    links.personal_data,
    images.alt,
    images.no_width,
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
    text_part.empty,
    text_part.long_line,
    text_part.missing_link,
    text_part.missing_heading,
)
"""What asks nothing of an article: no references, no disclaimer, no merge fields."""

ONE_CLICK = "letters/one-click"
_NO_PLACEHOLDER = "\0"


@dataclass(frozen=True, slots=True)
class WrittenMail:
    """A letter as it leaves.

    ``template`` is its name below ``templates/email/``, without suffix. ``headers`` are those of
    the finished message. ``can_leave``: its reader is on a list, and so needs the way out.
    """

    template: str
    lang: str
    subject: str
    preheader: str
    html: str
    text: str
    headers: Mapping[str, str]
    can_leave: bool


def check_letter(letter: WrittenMail, settings: Settings) -> list[Finding]:
    """Ask every rule that fits about one letter; each finding once."""
    case = LintContext(_article(letter, settings), _compiled(letter, settings), settings)
    rules = (*LETTER_RULES, compliance.unsubscribe) if letter.can_leave else LETTER_RULES
    found = [finding for rule in rules for finding in rule.findings(case)]
    if letter.can_leave:
        found += _one_click(letter, case)
    return list(dict.fromkeys(found))


def _one_click(letter: WrittenMail, case: LintContext) -> Iterator[Finding]:
    """Mail programs need one URI and the word for it (RFC 8058 section 3.1), people the same."""
    url = letter.headers.get("List-Unsubscribe", "").strip("<>")
    own = {
        link.href
        for reading in case.readings
        for link in reading.links
        if link.href.startswith(reading.unsubscribe_url)
    }
    complete = letter.headers.get("List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"
    if not complete or url not in own:
        yield Finding(
            ONE_CLICK,
            Severity.BLOCKER,
            case.file,
            1,
            "the header of one-click unsubscribing is missing, or leads elsewhere than the link",
            "link to {{ unsubscribe }}, which the header names too",
        )


def _article(letter: WrittenMail, settings: Settings) -> Issue:
    path = settings.templates / "email" / f"{letter.template}.mjml"
    meta = FrontMatter(
        subject=letter.subject,
        preheader=letter.preheader,
        date=datetime.date.min,
        slug=letter.template,
        title=letter.subject,
        lang=letter.lang,
        template=letter.template,
    )
    source = path.read_text(encoding="utf-8")
    return Issue(path, source, meta, {}, (), (), (), (), _NO_PLACEHOLDER)


def _compiled(letter: WrittenMail, settings: Settings) -> CompiledIssue:
    """What the rules read. It is never approved or sent, and so has no digest."""
    parts = (letter.subject, letter.preheader, letter.html, letter.text)
    return CompiledIssue(
        slug=letter.template,
        lang=letter.lang,
        date="",
        title=letter.subject,
        sender=sender_of(settings),
        variants=(Variant(frozenset(), *(Part((part,)) for part in parts)),),
        images=(),
        archive_html="",
        digest="",
    )
