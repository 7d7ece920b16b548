"""Text in another language than the mail's, marked so that screen readers pronounce it right.

WCAG 2.2 requires it in success criterion 3.1.2, Language of Parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from newsletter.i18n.languages import direction, lookup, same_language


@dataclass(frozen=True, slots=True)
class LocalText:
    """A text and its language (RFC 5646)."""

    text: str
    language: str


def choose_text(texts: Mapping[str, str], wanted: str, own: str) -> LocalText:
    """The text in a mail's language, or else in the publication's, or else the first.

    Args:
        texts: By language; "" means the publication's.
        wanted: The mail's language.
        own: The publication's language.
    """
    named = {language or own: text for language, text in texts.items()}
    found = lookup(wanted, named) or lookup(own, named) or next(iter(named), own)
    return LocalText(named.get(found, ""), found)


def mark_language(text: str, language: str, around: str) -> Markup:
    """A text as HTML, in an element that marks its language if it differs."""
    attributes = Markup(language_attributes(language, around))  # noqa: S704
    # Markup escapes the text that is put into it.
    return Markup("<span%s>%s</span>") % (attributes, text) if attributes else escape(text)


def language_attributes(text: str, mail: str) -> str:
    """``lang`` and ``dir`` of an element, each after a space; empty if the language is the same.

    Args:
        text: The language of the element's text.
        mail: The language around it.
    """
    if same_language(text, mail):
        return ""
    return f' lang="{text}" dir="{direction(text)}"'
