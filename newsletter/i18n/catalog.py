"""The languages of pages and of the mail they send: catalogs, and which one a reader gets.

Catalogs are gettext's (`templates/locale`); `make translations` gathers their strings.
"""

from __future__ import annotations

import datetime
import gettext
from collections.abc import Callable
from pathlib import Path

from babel.dates import format_date
from markupsafe import Markup

LANGUAGES = ("en", "es")
DOMAIN = "newsletter"

Translate = Callable[..., str]


class Catalogs:
    """The catalogs of one project.

    Args:
        folder: Holds ``es/LC_MESSAGES/newsletter.mo`` and so on; English needs none.
        default: For readers who want none of the languages there are.
    """

    def __init__(self, folder: Path, default: str) -> None:
        self._default = default
        self._catalogs = {
            name: gettext.translation(DOMAIN, folder, [name], fallback=True) for name in LANGUAGES
        }

    def choose(self, accepted: str, known: str = "") -> str:
        """The language of a page.

        Args:
            accepted: The header Accept-Language (RFC 9110 section 12.5.4).
            known: What the reader's record says (RFC 5646, or ``es_MX`` as many lists write it),
                which goes first.
        """
        wishes = [known.replace("_", "-"), *_ranked(accepted)]
        primary = (wish.partition("-")[0].lower() for wish in wishes)
        return next((name for name in primary if name in LANGUAGES), self._default)

    def plain(self, language: str) -> Translate:
        """Translates ``_(text, name=value)`` into plain text."""
        catalog = self._catalogs[language]
        return lambda text, **values: catalog.gettext(text) % values

    def markup(self, language: str) -> Translate:
        """The same for HTML: the text is the catalog's own markup, values are escaped."""
        catalog = self._catalogs[language]
        return lambda text, **values: Markup(catalog.gettext(text)) % values  # noqa: S704


def long_date(day: datetime.date, language: str) -> str:
    """A date as its readers write it."""
    return str(format_date(day, "long", locale=language))


def _ranked(accepted: str) -> list[str]:
    """Language ranges, the most wanted first; what cannot be read counts least."""
    wishes = [part.partition(";") for part in accepted[:1000].split(",")]
    weighed = [(_weight(weight), name.strip()) for name, _, weight in wishes]
    return [name for weight, name in sorted(weighed, key=lambda one: -one[0]) if weight > 0]


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return float(value) if name.strip().lower() == "q" else float(not name)
    except ValueError:
        return 0.0
