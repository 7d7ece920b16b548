"""From an article to what is sent: one compiled issue, the same bytes every time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from itertools import combinations

from newsletter.content.model import Issue
from newsletter.content.reader import select, topics_of
from newsletter.errors import InputError
from newsletter.render.archive import write_archive
from newsletter.render.digest import digest_of
from newsletter.render.images import ImageCollector
from newsletter.render.mail import write_mail
from newsletter.render.model import UNSUBSCRIBE_TOKEN, CompiledIssue, Sender, SlotKind, Variant
from newsletter.render.split import Placeholder, Placeholders, split_html, split_text, without_slots
from newsletter.render.template_context import UNSUBSCRIBE, TemplateContext, template_context
from newsletter.render.templates import render_template
from newsletter.render.text_blocks import write_text_references
from newsletter.settings.model import Settings

MOST_TOPICS = 4
"""Topics one article may tell apart: each doubles the number of mails to approve."""


def compile_issue(issue: Issue, settings: Settings) -> CompiledIssue:
    """Compile an article with its templates.

    Args:
        issue: The article, every audience's blocks in it.
        settings: The publication, its colors and disclaimers; `Settings.root` holds templates.

    Returns:
        One variant per subset of the topics that the article distinguishes.

    Raises:
        InputError: With file and line: a template, a picture, a merge field or a setting is wrong.
    """
    topics = tuple(sorted(topics_of(issue)))
    if len(topics) > MOST_TOPICS:
        raise InputError(
            f"the article tells {len(topics)} topics apart; {MOST_TOPICS} is the most",
            file=issue.path,
            fix="join some of its audience blocks",
        )
    gallery = ImageCollector(
        issue.folder, settings.root, issue.path, settings.publication.public_url
    )
    marks = _marks(issue)
    variants = tuple(_variant(issue, some, settings, gallery, marks) for some in _subsets(topics))
    whole = select(issue, frozenset(topics))
    archive = write_archive(template_context(whole, settings, gallery), whole, settings, gallery)
    compiled = CompiledIssue(
        slug=issue.meta.slug,
        lang=issue.meta.lang,
        date=issue.meta.date.isoformat(),
        title=without_slots(issue.meta.title, marks, str),
        sender=sender_of(settings),
        variants=variants,
        images=gallery.distinct,
        archive_html=without_slots(archive, marks, escape),
        digest="",
        author=issue.meta.author,
    )
    return replace(compiled, digest=digest_of(compiled))


def write_text(issue: Issue, settings: Settings) -> str:
    """The text part of an article, merge fields still placeholders.

    Raises:
        InputError: A template or a setting is wrong.
    """
    gallery = ImageCollector(
        issue.folder, settings.root, issue.path, settings.publication.public_url
    )
    return _text(template_context(issue, settings, gallery), issue, settings)


def _variant(
    issue: Issue,
    topics: frozenset[str],
    settings: Settings,
    gallery: ImageCollector,
    marks: Placeholders,
) -> Variant:
    chosen = select(issue, topics)
    page = template_context(chosen, settings, gallery)
    return Variant(
        topics=topics,
        subject=split_text(issue.meta.subject, marks),
        preheader=split_text(issue.meta.preheader, marks),
        html=split_html(write_mail(page, chosen, settings, gallery), marks),
        text=split_text(_text(page, chosen, settings), marks),
    )


def _text(page: TemplateContext, issue: Issue, settings: Settings) -> str:
    values = {
        **page.values,
        "article": page.article_text,
        "references": write_text_references(issue.cited, issue.numbers, page.words),
        "disclaimer": page.disclaimer,
    }
    text = render_template(settings.root, f"email/{issue.meta.template}.txt", values, page.words)
    text = re.sub(r" +$", "", text.strip(), flags=re.MULTILINE)
    return re.sub(r"\n{4,}", "\n\n\n", text) + "\n"


def _subsets(topics: tuple[str, ...]) -> Iterator[frozenset[str]]:
    for size in range(len(topics) + 1):
        yield from map(frozenset, combinations(topics, size))


def _marks(issue: Issue) -> Placeholders:
    known = {
        use.placeholder: Placeholder(use.name, use.default or "", use.line)
        for use in issue.merge_fields
    }
    token = Placeholder(UNSUBSCRIBE_TOKEN, "", None, SlotKind.TOKEN)
    return Placeholders(issue.prefix, issue.path, {**known, issue.placeholder(UNSUBSCRIBE): token})


def sender_of(settings: Settings) -> Sender:
    """What the headers of all mail say of the publication."""
    publication = settings.publication
    return Sender(
        from_name=publication.from_name,
        from_address=publication.from_address,
        reply_to=publication.reply_to,
        list_id=publication.list_id,
        list_name=publication.name,
        public_url=publication.public_url,
    )
