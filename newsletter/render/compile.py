"""Compile an article into what is sent: the same bytes every time."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from itertools import chain, combinations

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
"""Topics that one article may have blocks for: each doubles the number of mails to approve."""


def compile_issue(issue: Issue, settings: Settings) -> CompiledIssue:
    """Compile an article with its templates.

    Args:
        issue: The article, with the blocks of every audience.
        settings: The publication, its colors and disclaimers; `Settings.root` has the templates.

    Returns:
        One variant per subset of the topics that the article has blocks for.

    Raises:
        InputError: With file and line: a template, a picture, a merge field or a setting is wrong.
    """
    topics = tuple(sorted(topics_of(issue)))
    # Each variant must be compiled, checked and approved.
    if len(topics) > MOST_TOPICS:
        raise InputError(
            f"the article has blocks for {len(topics)} topics; the limit is {MOST_TOPICS}",
            file=issue.path,
            fix="merge or remove some of its audience blocks",
        )
    gallery = ImageCollector(
        issue.folder, settings.root, issue.path, settings.publication.public_url
    )
    known = {
        use.placeholder: Placeholder(use.name, use.default or "", use.line)
        for use in issue.merge_fields
    }
    token = Placeholder(UNSUBSCRIBE_TOKEN, "", None, SlotKind.TOKEN)
    marks = Placeholders(issue.prefix, issue.path, {**known, issue.placeholder(UNSUBSCRIBE): token})
    subsets = chain.from_iterable(combinations(topics, n) for n in range(len(topics) + 1))
    variants = []
    for subset in subsets:
        chosen = select(issue, frozenset(subset))
        page = template_context(chosen, settings, gallery)
        html = write_mail(page, chosen, settings, gallery)
        variants.append(
            Variant(
                topics=frozenset(subset),
                subject=split_text(issue.meta.subject, marks),
                preheader=split_text(issue.meta.preheader, marks),
                html=split_html(html, marks),
                text=split_text(_text(page, chosen, settings), marks),
            )
        )
    # The archive has no audience of its own, and shows the blocks of all.
    whole = select(issue, frozenset(topics))
    archive = write_archive(template_context(whole, settings, gallery), whole, settings, gallery)
    compiled = CompiledIssue(
        slug=issue.meta.slug,
        lang=issue.meta.lang,
        date=issue.meta.date.isoformat(),
        title=without_slots(issue.meta.title, marks, str),
        sender=sender_of(settings),
        variants=tuple(variants),
        images=gallery.distinct,
        archive_html=without_slots(archive, marks, escape),
        digest="",
        author=issue.meta.author,
    )
    return replace(compiled, digest=digest_of(compiled))


def write_text(issue: Issue, settings: Settings) -> str:
    """The text part of an article, with placeholders for merge fields.

    Raises:
        InputError: A template or a setting is wrong.
    """
    gallery = ImageCollector(
        issue.folder, settings.root, issue.path, settings.publication.public_url
    )
    return _text(template_context(issue, settings, gallery), issue, settings)


def _text(page: TemplateContext, issue: Issue, settings: Settings) -> str:
    values = {
        **page.values,
        "article": page.article_text,
        "references": write_text_references(issue.cited, issue.numbers, page.words),
        "disclaimer": page.disclaimer,
    }
    text = render_template(settings.root, f"email/{issue.meta.template}.txt", values, page.words)
    # Templates leave empty lines where they show nothing.
    text = re.sub(r" +$", "", text.strip(), flags=re.MULTILINE)
    return re.sub(r"\n{4,}", "\n\n\n", text) + "\n"


def sender_of(settings: Settings) -> Sender:
    """What the headers of all mail say about the publication."""
    publication = settings.publication
    return Sender(
        from_name=publication.from_name,
        from_address=publication.from_address,
        reply_to=publication.reply_to,
        list_id=publication.list_id,
        list_name=publication.name,
        public_url=publication.public_url,
    )
