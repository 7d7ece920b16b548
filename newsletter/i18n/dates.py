"""Dates as their readers write them."""

from __future__ import annotations

import datetime

from babel.dates import format_date

from newsletter.i18n.languages import locale_of


def long_date(day: datetime.date, language: str) -> str:
    """A date in words: "June 1, 2026", "1 de junio de 2026".

    Args:
        day: The date.
        language: The language of the text around it.
    """
    return str(format_date(day, "long", locale=locale_of(language) or "en"))
