"""Translations of pages and mail, and the choice of a reader's language.

Texts in code and templates are English; the gettext catalogs in `templates/locale` translate them,
and `make translations` updates these. To add a language: docs/adding-a-language.md.
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
"""The language of the texts in code and templates, which needs no catalog."""

Translate = Callable[..., str]
"""Translates ``_(text, name=value)``."""


def _as_it_is(value: object) -> object:
    return value


@dataclass(frozen=True, slots=True)
class Translator:
    """Translates into one language; templates call it ``_``, and its `ngettext` by that name.

    ``write_text`` and ``write_value`` escape the translated text, and each value in it, for HTML or
    MJML.
    """

    language: str
    catalog: NullTranslations
    write_text: Callable[[str], str] = str
    write_value: Callable[[object], object] = _as_it_is

    def __call__(self, text: str, **values: object) -> str:
        """Translate a text, and put the values in place of ``%(name)s``."""
        return self._fill(self.catalog.gettext(text), values)

    def ngettext(self, one: str, many: str, count: int, **values: object) -> str:
        """Translate a text with a number, in the plural form that the language requires.

        Args:
            one: The text for the number 1; ``%(count)s`` is the number.
            many: The text for any other number.
            count: The number.
            values: Replace the other ``%(name)s``.
        """
        text = self.catalog.ngettext(one, many, count)
        return self._fill(text, {**values, "count": whole_number(count, self.language)})

    def writing(
        self, text: Callable[[str], str], value: Callable[[object], object] = _as_it_is
    ) -> Translator:
        """The same translator, with texts and values written in another way."""
        return replace(self, write_text=text, write_value=value)

    def _fill(self, text: str, values: dict[str, object]) -> str:
        written = {name: self.write_value(value) for name, value in values.items()}
        return self.write_text(text) % written


class Catalogs:
    """The catalogs of one project.

    Args:
        folder: Holds ``es/LC_MESSAGES/newsletter.mo`` and so on; English needs none.
        default: For readers who accept none of the available languages.

    Raises:
        InputError: There is no catalog for ``default``.
    """

    def __init__(self, folder: Path, default: str) -> None:
        # Folders are named as gettext does, es_MX; language tags have a hyphen.
        files = {
            path.parents[1].name.replace("_", "-"): path
            for path in sorted(folder.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
        }
        self._files = files
        self.languages = (SOURCE, *files)
        """The available languages: English, and those of the catalogs."""
        found = lookup(default, self.languages)
        if found is None:
            raise InputError(
                f"publication.language is {default}, which has no catalog in {folder}",
                fix=f"set it to one of {', '.join(self.languages)}; or add the language:"
                " docs/adding-a-language.md",
            )
        self._default = found

    def choose(self, accepted: str, known: str = "") -> str:
        """The language of a page.

        Args:
            accepted: The Accept-Language header (RFC 9110 section 12.5.4).
            known: The language in the subscriber's record (RFC 5646, or ``es_MX`` as many lists
                write it), which takes precedence.
        """
        weighted = []
        # Bounded: the header comes from anybody, and may be long.
        for part in accepted[:1000].split(","):
            name, _, parameter = part.partition(";")
            key, _, value = parameter.strip().partition("=")
            try:
                weight = float(value) if key.strip().lower() == "q" else float(not key)
            except ValueError:
                continue
            if weight > 0:
                weighted.append((weight, name.strip()))
        # Sorting is stable: equal weights keep the order of the header.
        ranked = [name for _, name in sorted(weighted, key=lambda entry: -entry[0])]
        wanted = (lookup(name, self.languages) for name in (known, *ranked))
        return next(filter(None, wanted), self._default)

    def match(self, language: str) -> str | None:
        """The catalog for a mail's language: ``es`` for ``es-MX``; None if it has no catalog."""
        return lookup(language, self.languages)

    def plain(self, language: str) -> Translator:
        """The translator of a mail or page in this language, as plain text.

        Without a catalog it is English: an author can preview the issue, but a check prevents
        sending it.

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
        InputError: The publication's language has no catalog.
    """
    return Catalogs(settings.templates / "locale", settings.publication.language)


@lru_cache(maxsize=32)
def _read(path: Path, _changed_ns: int) -> GNUTranslations:
    # gettext's own cache ignores changes: a preview would keep showing the old catalog.
    try:
        with path.open("rb") as file:
            return GNUTranslations(file)
    except (OSError, ValueError) as error:
        raise InputError(
            f"this is not a compiled catalog: {error}", file=path, fix="run: make translations"
        ) from None
