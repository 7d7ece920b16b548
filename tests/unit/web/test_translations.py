"""Every word of the pages and the mail is translated, and the compiled catalogs are up to date."""

import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from newsletter.i18n.catalog import Catalogs

ROOT = Path(__file__).parents[3]
LOCALE = ROOT / "templates" / "locale"
TRANSLATED = [name for name in Catalogs(LOCALE, "en").languages if name != "en"]
HOLES = re.compile(r"%\(\w+\)s|</?a[ >]")
Words = str | tuple[str, ...]


def used() -> set[Words]:
    with (LOCALE / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(ROOT, methods, options, keywords=DEFAULT_KEYWORDS)
    return {message for _, _, message, _, _ in found}


def catalog(name: str) -> Catalog:
    with (LOCALE / name.replace("-", "_") / "LC_MESSAGES" / "newsletter.po").open("rb") as file:
        return read_po(file)


def messages(name: str) -> Iterator[Message]:
    return (message for message in catalog(name) if message.id)


def forms(words: Words) -> tuple[str, ...]:
    """A text alone, or the singular and the plurals."""
    return (words,) if isinstance(words, str) else words


def test_there_is_spanish() -> None:
    assert "es" in TRANSLATED


def test_words_are_gathered_from_everywhere() -> None:
    known = {form for words in used() for form in forms(words)}
    assert "References" in known, "templates/email/*.mjml"
    assert "[Picture: %(alt)s]" in known, "newsletter/render"
    assert "Please confirm: %(name)s" in known, "newsletter/transactional"
    assert "Past issues" in known, "templates/pages"
    assert "Please enter your email address." in known, "newsletter/web"
    assert "%(count)s minutes to read" in known, "plurals"


@pytest.mark.parametrize("name", TRANSLATED)
def test_every_string_is_translated_and_none_is_left_over(name: str) -> None:
    translated = {m.id for m in messages(name) if all(forms(m.string)) and not m.fuzzy}
    assert translated == used(), "run `make translations` and translate what is new"


@pytest.mark.parametrize("name", TRANSLATED)
def test_translations_keep_names_and_links(name: str) -> None:
    for message in messages(name):
        wanted = sorted(HOLES.findall(forms(message.id)[-1]))
        for form in forms(message.string):
            assert sorted(HOLES.findall(form)) == wanted


@pytest.mark.parametrize("name", TRANSLATED)
def test_every_plural_of_the_language_is_there(name: str) -> None:
    plurals = [m.string for m in messages(name) if not isinstance(m.id, str)]
    assert plurals
    assert {len(strings) for strings in plurals} == {catalog(name).num_plurals}


@pytest.mark.parametrize("name", TRANSLATED)
def test_the_compiled_catalog_is_that_of_the_source(name: str) -> None:
    compiled = gettext.translation("newsletter", LOCALE, [name.replace("-", "_")])
    for message in messages(name):
        if isinstance(message.id, str):
            assert compiled.gettext(message.id) == message.string, "run `make translations`"
        else:
            found = {compiled.ngettext(*message.id, n) for n in range(1000)}
            assert found <= set(message.string), "run `make translations`"


@pytest.mark.parametrize(
    "file",
    [
        *(ROOT / "templates" / "pages").glob("*.html"),
        *(ROOT / "templates" / "email").glob("*.txt"),
        *(ROOT / "templates" / "email").glob("*.mjml"),
    ],
    ids=lambda file: file.name,
)
def test_no_template_for_readers_holds_bare_words(file: Path) -> None:
    text = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}|&\w+;", " ", file.read_text(), flags=re.DOTALL)
    assert re.findall(r"[A-Za-z]{2,}", re.sub(r"<[^>]*>", " ", text)) == []
    assert re.findall(r'\b(?:alt|aria-label|placeholder|title)="[^"]*[A-Za-z]{2,}', text) == []
