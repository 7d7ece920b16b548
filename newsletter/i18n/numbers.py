"""Numbers as their readers write them."""

from __future__ import annotations

from babel.numbers import format_decimal

from newsletter.i18n.languages import locale_of


def whole_number(number: int, language: str) -> str:
    """A whole number with separators: "12,345" in English, "12.345" in German.

    Args:
        number: The number.
        language: The language of the text around it.
    """
    return str(format_decimal(number, locale=locale_of(language) or "en"))
