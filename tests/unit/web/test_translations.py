"""Every string of the readers' pages is translated, and the compiled catalogs are up to date."""

import gettext
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from newsletter.i18n.catalog import LANGUAGES, Catalogs

ROOT = Path(__file__).parents[3]
LOCALE = ROOT / "templates" / "locale"
TRANSLATED = [name for name in LANGUAGES if name != "en"]
HOLES = re.compile(r"%\(\w+\)s|</?a[ >]")


def used() -> set[str]:
    with (LOCALE / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(ROOT, methods, options, keywords={"_": None})
    return {message for _, _, message, _, _ in found}


def catalog(name: str) -> Catalog:
    with (LOCALE / name / "LC_MESSAGES" / "newsletter.po").open("rb") as file:
        return read_po(file)


@pytest.mark.parametrize("name", TRANSLATED)
def test_every_string_is_translated_and_none_is_left_over(name: str) -> None:
    translated = {m.id for m in catalog(name) if m.id and m.string and not m.fuzzy}
    assert len(used()) > 80
    assert translated == used(), "run `make translations` and translate what is new"


@pytest.mark.parametrize("name", TRANSLATED)
def test_translations_keep_names_and_links(name: str) -> None:
    for message in catalog(name):
        if message.id:
            assert sorted(HOLES.findall(message.string)) == sorted(HOLES.findall(message.id))


@pytest.mark.parametrize("name", TRANSLATED)
def test_the_compiled_catalog_is_that_of_the_source(name: str) -> None:
    compiled = gettext.translation("newsletter", LOCALE, [name])
    for message in catalog(name):
        if message.id:
            assert compiled.gettext(message.id) == message.string


def test_no_template_of_the_readers_pages_holds_bare_words() -> None:
    for file in (ROOT / "templates" / "pages").glob("*.html"):
        text = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}|<[^>]*>", " ", file.read_text(), flags=re.DOTALL)
        words = re.findall(r"[A-Za-z]{2,}", re.sub(r"&\w+;", " ", text).replace("Website", ""))
        assert words == [], file.name


@pytest.mark.parametrize(
    ("accepted", "known", "expected"),
    [
        ("", "", "en"),
        ("es", "", "es"),
        ("es-MX,es;q=0.9,en;q=0.8", "", "es"),
        ("de, en;q=0.5, es;q=0.7", "", "es"),
        ("es;q=0, en", "", "en"),
        ("fr,de", "", "en"),
        ("*", "", "en"),
        ("ES-419", "", "es"),
        ("en", "es-MX", "es"),
        ("es", "fr", "es"),
        ("es;q=x", "", "en"),
    ],
)
def test_which_language_a_reader_gets(accepted: str, known: str, expected: str) -> None:
    assert Catalogs(LOCALE, "en").choose(accepted, known) == expected


@given(st.text(), st.text())
def test_any_header_gives_some_language(accepted: str, known: str) -> None:
    assert Catalogs(LOCALE, "en").choose(accepted, known) in LANGUAGES


def test_values_are_escaped_and_the_text_is_not() -> None:
    translate = Catalogs(LOCALE, "es").markup("es")
    text = 'You can <a href="%(path)s">unsubscribe</a> at any time, from any of our mails.'
    assert translate(text, path='"><b>').startswith('Puede <a href="&#34;&gt;&lt;b&gt;">darse')
