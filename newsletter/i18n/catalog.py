"""The words of pages and mail in each language, and which language a reader gets.

Words stand in the code and the templates in English, and gettext's catalogs in `templates/locale`
translate them; `make translations` gathers them. To add a language: docs/adding-a-language.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from markupsafe import Markup

from newsletter.errors import InputError
from newsletter.i18n.languages import lookup
from newsletter.i18n.numbers import whole_number
from newsletter.settings.model import Settings

DOMAIN = "newsletter"
SOURCE = "en"
"""The language that the words are written in, which so needs no catalog."""

Translate = Callable[..., str]
"""Translates ``_(text, name=value)``."""


def _as_it_is(value: object) -> object:
    return value


@dataclass(frozen=True, slots=True)
class Translator:
    """The words of one language; templates know it as ``_`` and its `ngettext` by that name.

    ``write_text`` and ``write_value`` make of the translated text, and of each value that goes into
    it, what may stand in a page of HTML or in MJML.
    """

    language: str
    catalog: NullTranslations
    write_text: Callable[[str], str] = str
    write_value: Callable[[object], object] = _as_it_is

    def __call__(self, text: str, **values: object) -> str:
        """Translate a text, and put the values in the places ``%(name)s``."""
        return self._fill(self.catalog.gettext(text), values)

    def ngettext(self, one: str, many: str, count: int, **values: object) -> str:
        """Translate a text about a number of things, in the plural that the language has for it.

        Args:
            one: The text about one thing; ``%(count)s`` is the number.
            many: The same about any other number.
            count: How many there are.
            values: Go in the other places.
        """
        text = self.catalog.ngettext(one, many, count)
        return self._fill(text, {**values, "count": whole_number(count, self.language)})

    def writing(
        self, text: Callable[[str], str], value: Callable[[object], object] = _as_it_is
    ) -> Translator:
        """The same words, written in another way."""
        return replace(self, write_text=text, write_value=value)

    def _fill(self, text: str, values: dict[str, object]) -> str:
        written = {name: self.write_value(value) for name, value in values.items()}
        return self.write_text(text) % written


class Catalogs:
    """The catalogs of one project.

    Args:
        folder: Holds ``es/LC_MESSAGES/newsletter.mo`` and so on; English needs none.
        default: For readers who want none of the languages there are.

    Raises:
        InputError: There is no catalog for ``default``.
    """

    def __init__(self, folder: Path, default: str) -> None:
        files = {
            path.parents[1].name.replace("_", "-"): path
            for path in sorted(folder.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
        }
        self._files = files
        self.languages = (SOURCE, *files)
        """The languages there are: those of the catalogs, and English."""
        found = lookup(default, self.languages)
        if found is None:
            raise InputError(
                f"publication.language is {default}, which has no catalog in {folder}",
                fix=f"set it to one of {', '.join(self.languages)}; to add a language, see"
                " docs/adding-a-language.md",
            )
        self._default = found

    def choose(self, accepted: str, known: str = "") -> str:
        """The language of a page.

        Args:
            accepted: The header Accept-Language (RFC 9110 section 12.5.4).
            known: What the reader's record says (RFC 5646, or ``es_MX`` as many lists write it),
                which goes first.
        """
        wanted = (lookup(name, self.languages) for name in (known, *_ranked(accepted)))
        return next(filter(None, wanted), self._default)

    def match(self, language: str) -> str | None:
        """The language of a mail's own words: ``es`` for one in ``es-MX``; None: there is none."""
        return lookup(language, self.languages)

    def plain(self, language: str) -> Translator:
        """The words of a mail or page in this language, as plain text.

        In a language that has no catalog they are English: whoever writes an issue can look at it,
        and a check refuses to send it.

        Raises:
            InputError: The catalog cannot be read.
        """
        name = self.match(language) or SOURCE
        path = self._files.get(name)
        if path is None:
            return Translator(name, NullTranslations())
        return Translator(name, _read(path, path.stat().st_mtime_ns))

    def markup(self, language: str) -> Translator:
        """The same for HTML: the text is the catalog's own markup, values are escaped.

        Raises:
            InputError: The catalog cannot be read.
        """
        return self.plain(language).writing(Markup)


def catalogs_of(settings: Settings) -> Catalogs:
    """The catalogs of a project.

    Raises:
        InputError: There is none for the publication's language.
    """
    return Catalogs(settings.templates / "locale", settings.publication.language)


@lru_cache(maxsize=32)
def _read(path: Path, _changed_ns: int) -> GNUTranslations:
    """gettext's own cache never looks again: a preview would go on with what it read first."""
    try:
        with path.open("rb") as file:
            return GNUTranslations(file)
    except (OSError, ValueError) as error:
        raise InputError(
            f"not a compiled catalog: {error}", file=path, fix="run: make translations"
        ) from None


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
