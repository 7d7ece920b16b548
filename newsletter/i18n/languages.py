"""Language tags (RFC 5646): the best available match, the direction and the name of a language.

Everything else that depends on a language comes from Babel, which has it from the CLDR
(https://cldr.unicode.org).
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Literal

from babel.core import Locale, UnknownLocaleError


def lookup(wanted: str, available: Collection[str]) -> str | None:
    """The available language that fits best: the tag itself, or without its last parts.

    ``es-MX`` is served by ``es``, and ``zh-Hant-TW`` by ``zh-Hant`` and never by ``zh-Hans``
    (RFC 4647 section 3.4, Lookup).

    Args:
        wanted: A tag, or ``es_MX`` as many lists write it; capitals do not matter.
        available: The tags to choose from.
    """
    names = {name.lower(): name for name in available}
    parts = wanted.replace("_", "-").lower().split("-")
    while parts:
        if found := names.get("-".join(parts)):
            return found
        parts.pop()
        # A single letter (RFC 5646 section 2.2.6) only introduces the part after it.
        if parts and len(parts[-1]) == 1:
            parts.pop()
    return None


def same_language(one: str, other: str) -> bool:
    """Whether a screen reader needs only one voice for both: ``en`` and ``en-GB``."""
    return _primary(one) == _primary(other)


def direction(tag: str) -> Literal["ltr", "rtl"]:
    """The direction in which a language is written; left to right if it is unknown."""
    found = locale_of(tag)
    return "rtl" if found and found.text_direction == "rtl" else "ltr"


def language_name(tag: str) -> str:
    """The English name of a language: ``Spanish (es)``; the tag alone if it is unknown."""
    found = locale_of(tag)
    name = found.get_display_name("en") if found else None
    return f"{name} ({tag})" if name else tag


# Babel loads the data of a locale from a file.
@lru_cache(maxsize=64)
def locale_of(tag: str) -> Locale | None:
    """Babel's locale of a language, or of the tag without its last parts; None if it is unknown."""
    parts = tag.replace("_", "-").split("-")
    while parts:
        try:
            return Locale.parse("-".join(parts), sep="-")
        except (UnknownLocaleError, ValueError):
            parts.pop()
    return None


def _primary(tag: str) -> str:
    return tag.replace("_", "-").partition("-")[0].lower()
