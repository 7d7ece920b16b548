"""What surrounds the article: gathered once, for both the HTML and the text part."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup

from newsletter.content.model import PLACEHOLDERS, AudienceBlock, Block, Issue
from newsletter.errors import InputError
from newsletter.i18n.catalog import Translator, catalogs_of
from newsletter.i18n.dates import long_date
from newsletter.render.foreign import LocalText, choose_text, language_attributes
from newsletter.render.images import ImageCollector
from newsletter.render.text_blocks import write_text_blocks
from newsletter.settings.model import Settings

HERO_WIDTH = 552
"""CSS pixels inside the card's narrowest padding."""

UNSUBSCRIBE = PLACEHOLDERS - 1
"""The number of the unsubscribe token's placeholder."""

WORDS_PER_MINUTE = 220
"""Adults read non-fiction at 238 words a minute (Brysbaert 2019); medical terms slow them down."""

_WORD = re.compile(r"\S*\w\S*")
"""A word, but no mark of a box, list or heading."""

_LINK = re.compile(r"(https?://|mailto:|tel:)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TemplateContext:
    """One variant's blocks, the translator of its language, and the values for every template.

    ``disclaimer_language`` has the attributes of the disclaimer's paragraphs.
    """

    blocks: tuple[Block, ...]
    article_text: str
    disclaimer: str
    disclaimer_language: str
    words: Translator
    values: dict[str, object]


def template_context(issue: Issue, settings: Settings, gallery: ImageCollector) -> TemplateContext:
    """Gather the values for a mail's templates.

    Raises:
        InputError: The hero or the button cannot be used, or the disclaimer is not in the settings.
    """
    meta = issue.meta
    words = catalogs_of(settings).plain(meta.lang)
    blocks = tuple(
        block
        for each in issue.blocks
        for block in (each.blocks if isinstance(each, AudienceBlock) else (each,))
    )
    text = write_text_blocks(blocks, issue.numbers, words)
    action = meta.call_to_action
    if action and not _LINK.match(action.url) and not action.url.startswith(issue.prefix):
        raise InputError(
            "the button's url is not a web page, email address or phone number",
            file=issue.path,
            line=issue.meta_lines.get("call_to_action.url"),
            fix="start the url with https://, mailto: or tel:",
        )
    disclaimer = _disclaimer(issue, settings)
    line = issue.meta_lines.get("hero.image")
    public_url, token = settings.publication.public_url, issue.placeholder(UNSUBSCRIBE)
    on_the_web = f"{public_url}/archive/{meta.slug}" if settings.archive != "off" else ""
    values: dict[str, object] = {
        "publication": settings.publication,
        "preheader": meta.preheader,
        "title": meta.title,
        "standfirst": meta.standfirst,
        "author": meta.author,
        "date": long_date(meta.date, words.language),
        "minutes": max(1, -(-len(_WORD.findall(text)) // WORDS_PER_MINUTE)),
        # Encoded, since the collector decodes the paths of an article's pictures.
        "hero": gallery.add(quote(meta.hero.image), HERO_WIDTH, line) if meta.hero else None,
        "hero_alt": meta.hero.alt if meta.hero else "",
        "action": action,
        "phones": settings.publication.phones,
        # The footer's links: the recipient's own pages, then public ones, empty if turned off.
        "unsubscribe": f"{public_url}/u/{token}",
        "preferences": f"{public_url}/p/{token}",
        "on_the_web": on_the_web,
        "join_url": settings.join_url,
    }
    return TemplateContext(
        blocks=blocks,
        article_text=text,
        disclaimer=disclaimer.text,
        disclaimer_language=language_attributes(disclaimer.language, meta.lang),
        words=words,
        values=values,
    )


def own_language(settings: Settings, lang: str) -> Markup:
    """The attributes of an element with the publication's name or address, in a mail."""
    return Markup(language_attributes(settings.publication.language, lang))  # noqa: S704


def _disclaimer(issue: Issue, settings: Settings) -> LocalText:
    publication = settings.publication
    name = issue.meta.disclaimer or publication.default_disclaimer
    if not name:
        return LocalText("", publication.language)
    if name not in settings.disclaimers:
        raise InputError(
            f"there is no disclaimer named {name}",
            file=issue.path,
            line=issue.meta_lines.get("disclaimer"),
            fix="use the name of one under [disclaimers] in the settings, or add it",
        )
    found = choose_text(settings.disclaimers[name], issue.meta.lang, publication.language)
    return LocalText(found.text.strip(), found.language)
