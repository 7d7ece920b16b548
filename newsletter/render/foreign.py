"""Text in another language than the mail's says so, that it is read aloud as what it is.

WCAG 2.2 asks for it in success criterion 3.1.2, Language of Parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from newsletter.i18n.languages import direction, lookup, same_language


@dataclass(frozen=True, slots=True)
class LocalText:
    """A text and the language that it is in (RFC 5646)."""

    text: str
    language: str


def choose_text(texts: Mapping[str, str], wanted: str, own: str) -> LocalText:
    """The text in a mail's language, or else in the publication's, or else the first.

    Args:
        texts: By language; that of the publication may be called "".
        wanted: The mail's language.
        own: The publication's language.
    """
    named = {language or own: text for language, text in texts.items()}
    found = lookup(wanted, named) or lookup(own, named) or next(iter(named), own)
    return LocalText(named.get(found, ""), found)


def mark_language(text: str, language: str, around: str) -> Markup:
    """A text for HTML, in an element that says its language where that is another one."""
    attributes = Markup(language_attributes(language, around))  # noqa: S704
    return Markup("<span%s>%s</span>") % (attributes, text) if attributes else escape(text)


def language_attributes(text: str, mail: str) -> str:
    """``lang`` and ``dir`` for an element, each after a blank; nothing where the mail has the same.

    Args:
        text: The language of the element's text.
        mail: The language around it.
    """
    if same_language(text, mail):
        return ""
    return f' lang="{text}" dir="{direction(text)}"'
