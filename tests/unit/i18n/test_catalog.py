"""Catalogs: available languages, the choice of one, and values in translated texts."""

import os
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from newsletter.errors import InputError
from newsletter.i18n.catalog import Catalogs

LOCALE = Path(__file__).parents[3] / "templates" / "locale"


def add(folder: Path, name: str, **words: str) -> Path:
    """Write the catalog of one language."""
    path = folder / name / "LC_MESSAGES" / "newsletter.mo"
    path.parent.mkdir(parents=True, exist_ok=True)
    catalog = Catalog(locale=name)
    for text, translation in words.items():
        catalog.add(text, translation)
    with path.open("wb") as file:
        write_mo(file, catalog)
    return path


def test_the_languages_are_english_and_those_with_a_catalog(tmp_path: Path) -> None:
    assert Catalogs(tmp_path / "none", "en").languages == ("en",)
    add(tmp_path, "es")
    add(tmp_path, "pt_BR")
    assert Catalogs(tmp_path, "es").languages == ("en", "es", "pt-BR")


def test_the_publications_language_needs_a_catalog(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"which has no catalog .*set it to one of en;"):
        Catalogs(tmp_path, "es")


@pytest.mark.parametrize(
    ("accepted", "known", "expected"),
    [
        ("", "", "en"),
        ("es", "", "es"),
        ("es-MX,es;q=0.9,en;q=0.8", "", "es"),
        ("cy, en;q=0.5, es;q=0.7", "", "es"),
        ("es;q=0, en", "", "en"),
        ("cy,eo", "", "en"),
        ("*", "", "en"),
        ("ES-419", "", "es"),
        ("en", "es-MX", "es"),
        ("en", "es_MX", "es"),
        ("es", "cy", "es"),
        ("es;q=x", "", "en"),
    ],
)
def test_which_language_a_reader_gets(accepted: str, known: str, expected: str) -> None:
    assert Catalogs(LOCALE, "en").choose(accepted, known) == expected


def test_the_publications_region_gets_its_language() -> None:
    assert Catalogs(LOCALE, "es-US").choose("cy") == "es"


@given(st.text(), st.text())
def test_any_header_gives_some_language(accepted: str, known: str) -> None:
    catalogs = Catalogs(LOCALE, "en")
    assert catalogs.choose(accepted, known) in catalogs.languages


def test_values_are_escaped_and_the_text_is_not() -> None:
    translate = Catalogs(LOCALE, "es").markup("es")
    text = 'You can <a href="%(path)s">unsubscribe</a> at any time from any of our emails.'
    assert translate(text, path='"><b>').startswith('Puede <a href="&#34;&gt;&lt;b&gt;">darse')


@pytest.mark.parametrize(
    ("language", "count", "expected"),
    [
        ("en", 1, "1 minute to read"),
        ("en", 2, "2 minutes to read"),
        ("en", 0, "0 minutes to read"),
        ("en-GB", 1, "1 minute to read"),
        ("es", 1, "1 minuto de lectura"),
        ("es-MX", 12_345, "12.345 minutos de lectura"),
    ],
)
def test_plurals_are_those_of_the_language(language: str, count: int, expected: str) -> None:
    words = Catalogs(LOCALE, "en").plain(language)
    one, many = "%(count)s minute to read", "%(count)s minutes to read"
    assert words.ngettext(one, many, count) == expected
    written = Catalogs(LOCALE, "en").markup(language).ngettext(one, many, count)
    assert isinstance(written, Markup)
    assert written == expected


def test_a_language_without_a_catalog_gets_english() -> None:
    words = Catalogs(LOCALE, "es").plain("cy")
    assert (words.language, words("References")) == ("en", "References")
    assert Catalogs(LOCALE, "es").match("cy") is None


def test_a_changed_catalog_is_used_at_once(tmp_path: Path) -> None:
    path = add(tmp_path, "es", Save="Guardar")
    catalogs = Catalogs(tmp_path, "en")
    assert catalogs.plain("es")("Save") == "Guardar"
    add(tmp_path, "es", Save="Conservar")
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1_000_000))
    assert catalogs.plain("es")("Save") == "Conservar"


def test_an_invalid_catalog_is_named(tmp_path: Path) -> None:
    path = tmp_path / "es" / "LC_MESSAGES" / "newsletter.mo"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"msgid")
    with pytest.raises(InputError) as caught:
        Catalogs(tmp_path, "en").plain("es")
    assert caught.value.file == path
    assert "make translations" in caught.value.fix
