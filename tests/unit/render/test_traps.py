"""What the libraries break with their defaults. Each of these has happened."""

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from lxml import html as lxml_html
from mjml import mjml2html

from newsletter.render.inline import inline_styles
from newsletter.render.model import CompiledIssue
from newsletter.render.slots import preview_part
from tests.unit.render.conftest import Compile

PAGE = """<!doctype html><html><head><title>t</title>
<style>@media (prefers-color-scheme: dark) { .a { color: white !important } }
[data-ogsc] .a { color: white !important } #outlook a { padding: 0 }</style></head>
<body><p class="a">one</p><!--[if mso]><table><tr><td><![endif]--><img src="x" width="120">
<!--[if mso]></td></tr></table><![endif]--></body></html>"""


@pytest.fixture
def page(every_block: CompiledIssue) -> str:
    return preview_part(every_block.variants[-1].html, {"first_name": "Maria"})


def test_the_doctype_keeps_standards_mode() -> None:
    assert inline_styles(PAGE, "p { margin: 0 }").startswith("<!DOCTYPE html>")


def test_head_styles_stay_unchanged() -> None:
    style = re.search(r"<style>.*?</style>", PAGE, re.DOTALL)
    assert style
    assert style[0] in inline_styles(PAGE, "p { margin: 0 }")


def test_styles_reach_their_elements() -> None:
    assert '<p class="a" style="margin:0">' in inline_styles(PAGE, "p { margin: 0 }")


def test_image_width_is_no_percentage() -> None:
    inlined = inline_styles(PAGE, "img { width: 100%; height: auto; float: left }")
    assert ' width="120"' in inlined
    assert "align=" not in inlined


def test_conditional_comments_survive_inlining() -> None:
    inlined = inline_styles(PAGE, "p { margin: 0 }")
    assert inlined.count("<!--[if") == PAGE.count("<!--[if") == inlined.count("<![endif]-->")


def test_only_a_repeated_outlook_condition_is_dropped() -> None:
    page = (
        "<!DOCTYPE html><html><body><!--[if mso | IE]>a<![endif]--><!--[if mso | IE]>b<![endif]-->"
    )
    assert "<!--[if mso | IE]>ab<![endif]-->" in inline_styles(page, "p { margin: 0 }")


def test_every_selector_counts_and_every_value_stays() -> None:
    inlined = inline_styles(PAGE, "* { color: red } p { background: unset; mso-hide: all }")
    assert '<p class="a" style="color:red; background:unset; mso-hide:all">' in inlined


def test_important_stays() -> None:
    assert "color:red !important" in inline_styles(PAGE, "p { color: red !important }")


def test_what_cannot_be_inlined_adds_no_style_element() -> None:
    inlined = inline_styles(PAGE, "a:hover { color: red } @media print { p { color: red } }")
    assert inlined.count("<style") == PAGE.count("<style")


def test_the_stylesheet_is_read_without_log_messages(caplog: pytest.LogCaptureFixture) -> None:
    inline_styles(PAGE, "p { mso-line-height-rule: exactly; color: ; } } p { colour: 7 } {")
    assert not caplog.records


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(*address: object, **_options: object) -> NoReturn:
        asked.append(address)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    link = '<link rel="stylesheet" href="http://fonts.example/a.css"></head>'
    css = "@import url(http://fonts.example/b.css); @import 'file:///etc/hosts'; p { margin: 0 }"
    inlined = inline_styles(PAGE.replace("</head>", link), css)
    assert not asked
    assert "localhost" not in inlined


def test_mjml_by_default_loads_web_fonts() -> None:
    """The trap is still there: without ``fonts={}`` the compiler adds a link."""
    source = (
        "<mjml><mj-body><mj-section><mj-column><mj-text>a</mj-text></mj-column></mj-section>"
        "</mj-body></mjml>"
    )
    assert "fonts.googleapis.com" in mjml2html(source)


def test_mail_loads_pictures_and_nothing_else(page: str) -> None:
    loaded = re.findall(r'(?:\ssrc=|\sbackground=|<link|url\(|@import)\W*([^"\')>]*)', page)
    assert loaded
    assert all(url.startswith("https://news.clinic.example/media/") for url in loaded)


def test_attributes_keep_quotes_backslashes_and_letters(page: str) -> None:
    tree = lxml_html.fromstring(page)
    alts = [image.get("alt") for image in tree.iter("img")]
    assert alts == ['The neck, drawn "from behind" — C:\\neck', "A small picture"]
    assert tree.findtext(".//title") == "Every block, in “one” letter"
    assert tree.xpath("//*[@role='article']/@aria-label") == ["Every block, in “one” letter"]


def test_language_and_direction_are_on_page_and_wrapper(build: Compile) -> None:
    html = "".join(build(head="lang: ar\ndir: rtl\n").variants[0].html.segments)
    tree = lxml_html.fromstring(html)
    wrapper = tree.xpath("//body/div")[0]
    assert (tree.get("lang"), tree.get("dir")) == ("ar", "rtl")
    assert (wrapper.get("lang"), wrapper.get("dir")) == ("ar", "rtl")
    assert "direction:ltr" not in html
    assert "text-align:left;color" not in html


def test_no_text_is_too_small(page: str) -> None:
    body = page[page.index("<body") :]
    small = {int(size) for size in re.findall(r"font-size:(\d+)px", body)}
    assert small & set(range(2, 14)) == {12}, "only superscripts are smaller than 14 px"
    assert "line-height:1;" not in re.sub(r"<sup[^>]*>", "", body)


def test_the_dark_scheme_is_complete(page: str) -> None:
    assert '<meta name="color-scheme" content="light dark">' in page
    head = page[: page.index("<body")]
    media = head[head.index("@media (prefers-color-scheme: dark)") :]
    assert media.count("!important") > 20
    assert "[data-ogsc] .ink div" in head
    assert "[data-ogsb] .card" in head


def test_preheader_is_hidden_and_padded(page: str) -> None:
    hidden = re.search(r'<div class="preheader" style="([^"]*)">(.*?)</div>', page)
    assert hidden
    assert "mso-hide:all" in hidden[1]
    assert hidden[2].startswith("A short look at every block that an article may hold.")
    assert hidden[2].count("\u034f\u200c\u00a0") == 60


def test_character_set_is_declared_once_and_first(page: str) -> None:
    assert page.lower().count("charset=") == 1
    assert "charset=UTF-8" in page[:1000]


def test_layout_tables_say_so_and_data_tables_do_not(page: str) -> None:
    for table in lxml_html.fromstring(page).iter("table"):
        data = (table.get("class") or "").startswith("data")
        assert table.get("role") == (None if data else "presentation")


def test_references_can_be_reached_by_name_and_id(page: str) -> None:
    tree = lxml_html.fromstring(page)
    targets = tree.xpath("//a[@name]")
    assert [a.get("name") for a in targets] == [a.get("id") for a in targets] == ["ref-1", "ref-2"]
    assert all(a.text is None for a in targets)
    links = tree.xpath("//a[starts-with(@href, '#')]")
    assert links
    assert {a.get("href")[1:] for a in links} == {"ref-1", "ref-2"}
    assert all(a.get("aria-label") == f"reference {a.text}" for a in links)


def test_no_internal_marks_are_left(every_block: CompiledIssue) -> None:
    for variant in every_block.variants:
        for part in (variant.html, variant.text, variant.subject, variant.preheader):
            text = "".join(part.segments)
            assert not re.search(r"QZ[0-9A-Z]{8}X|<mj-|\{\{|\{%|data-premailer", text)
    assert not re.search(r"QZ[0-9A-Z]{8}X", every_block.archive_html)


def test_an_article_is_neither_template_nor_markup(build: Compile) -> None:
    body = "A {# comment #} and <mj-text>, `<script>alert(1)</script>` & <b>raw</b>.\n"
    html = "".join(build(body).variants[0].html.segments)
    assert "A {# comment #} and &lt;mj-text&gt;" in html
    assert "<script" not in html
    assert "&lt;b&gt;raw&lt;/b&gt;" in html


def test_every_process_renders_the_same_bytes(root: Path, every_block: CompiledIssue) -> None:
    program = (
        "import sys; from pathlib import Path; from newsletter.content.reader import read_issue\n"
        "from newsletter.render.compile import compile_issue\n"
        "from newsletter.settings.load import load_settings\n"
        "root = Path(sys.argv[1]); issue = read_issue(root / 'every-block.md', root=root)\n"
        "print(compile_issue(issue, load_settings(root / 'newsletter.toml')).digest)"
    )
    python = [sys.executable, "-c", program, str(root)]
    done = subprocess.run(
        python, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert done.stdout.strip() == every_block.digest
