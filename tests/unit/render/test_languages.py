"""Mail in other languages than English, in both parts and on the archive page."""

import re
import shutil
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from lxml import html as lxml_html
from lxml.html import HtmlElement

from newsletter.content.reader import read_issue
from newsletter.render.compile import compile_issue
from newsletter.render.model import CompiledIssue
from newsletter.render.slots import preview_part
from newsletter.settings.load import load_settings
from newsletter.settings.model import Settings
from tests.support.golden import check_golden
from tests.unit.render.conftest import HERE, Compile

READER = {"first_name": "María"}


def compile_spanish(root: Path, settings: Settings, lang: str = "es") -> CompiledIssue:
    path = root / "spanish.md"
    text = (HERE / "spanish.md").read_text(encoding="utf-8")
    path.write_text(text.replace("lang: es", f"lang: {lang}"), encoding="utf-8")
    return compile_issue(read_issue(path, root=root), settings)


def html_of(compiled: CompiledIssue) -> str:
    return preview_part(compiled.variants[0].html, READER)


def text_of(compiled: CompiledIssue) -> str:
    return preview_part(compiled.variants[0].text, READER)


def test_a_spanish_issue(root: Path, settings: Settings) -> None:
    compiled = compile_spanish(root, settings.model_copy(update={"archive": "public"}))
    html = html_of(compiled)
    check_golden("render/spanish.html", html.replace("><", ">\n<") + "\n")
    check_golden("render/spanish.txt", text_of(compiled))
    check_golden("render/spanish.archive.html", compiled.archive_html)


GREEK = """\
archive = "public"
[publication]
name = "Γράμμα"
from_name = "Γράμμα"
from_address = "letter@clinic.example"
list_id = "letter.clinic.example"
public_url = "https://news.clinic.example"
postal_address = "Οδός 1"
join_url = "https://news.clinic.example/join"
phones = [
  { label = "800 300", number = "+18003009300" },
  { label = "800 301", number = "+18003019300" },
]
default_disclaimer = "short"
[merge_fields.first_name]
[disclaimers]
short = "Καμία συμβουλή."
"""


def test_every_built_in_text_goes_through_the_catalog(root: Path) -> None:
    """Where all else is in Greek, what Latin letters are left are the author's."""
    spanish = root / "templates/locale/es/LC_MESSAGES/newsletter.po"
    with spanish.open("rb") as file:
        words = read_po(file)
    greek = Catalog(locale="el")
    for message in words:
        if message.id:
            plural = isinstance(message.id, tuple)
            greek.add(message.id, ("Ωμέγα", "Ωμέγα") if plural else _holes(str(message.id)))
    compiled_to = root / "templates/locale/el/LC_MESSAGES/newsletter.mo"
    compiled_to.parent.mkdir(parents=True)
    with compiled_to.open("wb") as file:
        write_mo(file, greek)

    (root / "newsletter.toml").write_text(GREEK, encoding="utf-8")
    compiled = compile_spanish(root, load_settings(root / "newsletter.toml"), "el")

    theirs = {"María", *_words((root / "spanish.md").read_text(encoding="utf-8"))}
    pages = [lxml_html.fromstring(page) for page in (html_of(compiled), compiled.archive_html)]
    for said in (text_of(compiled), *map(_said, pages)):
        assert "Ωμέγα" in said
        assert set(_words(said)) - theirs == set()


def _holes(text: str) -> str:
    """A translation that keeps only the places of the values."""
    return "Ωμέγα " + " ".join(re.findall(r"%\(\w+\)s", text))


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Za-záéíóúñ]{2,}", re.sub(r"https?://\S+", " ", text))


def _said(page: HtmlElement) -> str:
    """What is shown or read aloud."""
    attributes = page.xpath("//@alt | //@title | //@*[starts-with(name(), 'aria-')]")
    hidden = {"true", "false"}
    for element in page.xpath("//style | //script | //comment()"):
        element.drop_tree()
    return " ".join([*page.itertext(), *(a for a in attributes if a not in hidden)])


def test_any_english_gets_the_same_texts(build: Compile) -> None:
    english, british = build(), build(head="lang: en-GB\n")
    assert "March 1, 2026" in text_of(british)
    assert html_of(british).replace('lang="en-GB"', 'lang="en"') == html_of(english)
    assert '<p style="margin:0 0 8px">1 Sample Street' in html_of(english)


def test_text_in_another_language_is_marked(root: Path, settings: Settings) -> None:
    compiled = compile_spanish(root, settings)
    mail = lxml_html.fromstring(html_of(compiled))
    english = [
        element.text_content() for element in mail.xpath("//body//*[@lang='en'][@dir='ltr']")
    ]
    name = settings.publication.name
    assert english == [
        name,
        "We give no advice. <b>Call</b> 911 & wait.",
        "There is no guarantee.",
        name,
        settings.publication.postal_address,
    ]
    page = lxml_html.fromstring(f"<div>{compiled.archive_html}</div>")
    paragraphs = page.xpath("//aside/p")
    assert [(p.get("lang"), p.get("dir")) for p in paragraphs] == [("en", "ltr")] * 2


def test_the_publications_own_language_needs_no_mark(root: Path, settings: Settings) -> None:
    own = settings.publication.model_copy(update={"language": "es-US"})
    html = html_of(compile_spanish(root, settings.model_copy(update={"publication": own})))
    assert html.count("lang=") == html.count('lang="es"') == 2


def test_a_disclaimer_in_the_issues_language_is_preferred(root: Path) -> None:
    path = root / "newsletter.toml"
    text = path.read_text(encoding="utf-8").partition("[disclaimers]")[0]
    both = '[disclaimers.short]\nes = "No damos consejos."\nen = "We give no advice."\n'
    path.write_text(text + both, encoding="utf-8")
    settings = load_settings(path)
    spanish = compile_spanish(root, settings)
    assert "<p>No damos consejos.</p>" in spanish.archive_html
    assert "No damos consejos.\n" in text_of(spanish)
    assert "We give no advice.\n" in text_of(compile_spanish(root, settings, "en"))
    other = compile_spanish(root, settings, "cy").archive_html
    assert '<p lang="en" dir="ltr">We give no advice.</p>' in other


def test_a_language_from_right_to_left_needs_no_dir(root: Path, settings: Settings) -> None:
    shutil.copytree(root / "templates/locale/es", root / "templates/locale/ar")
    mail = lxml_html.fromstring(html_of(compile_spanish(root, settings, "ar")))
    assert (mail.get("lang"), mail.get("dir")) == ("ar", "rtl")
    assert [p.get("dir") for p in mail.xpath("//p[@lang='en']")] == ["ltr"] * 3


@pytest.mark.parametrize(
    ("head", "way"), [("lang: ar\n", "rtl"), ("lang: ar\ndir: ltr\n", "ltr"), ("", "ltr")]
)
def test_an_explicit_dir_is_used(build: Compile, head: str, way: str) -> None:
    assert lxml_html.fromstring(html_of(build(head=head))).get("dir") == way


def test_a_language_without_a_catalog_can_be_previewed(build: Compile) -> None:
    text = text_of(build(head="lang: cy\n"))
    assert "March 1, 2026, 1 minute to read" in text
