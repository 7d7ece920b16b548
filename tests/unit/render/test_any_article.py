"""Whatever an author types, the mail is complete and safe."""

from pathlib import Path

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from newsletter.content.reader import read_issue
from newsletter.errors import InputError
from newsletter.render.codec import deserialize, serialize
from newsletter.render.compile import compile_issue
from newsletter.render.slots import preview_part
from newsletter.settings.model import Settings

PIECES = [
    *["a", "é", "\n", "\n\n", "- ", "1. ", "> ", "    ", "```\n", "`", "*", "**", "\\", "## "],
    *["&", "&amp;", '"', "'", "<script>", "<b>", "<mj-text>", "<!--", "-->", "<![endif]-->"],
    *["{{ first_name }}", "{#", "%}", "[x](https://a.example/", ")", "<https://a.example>"],
    *["| a | b |\n|---|---|\n| c | d |\n", "![y](pictures/small.png)", "---\n", "\u202e"],
    *["[^a]", "\n\n[^a]: One doi:10.1000/1\n", "::: note X\n", ":::\n"],
    *["::: bars T\n- 5 % | b\n:::\n", "::: study Y\n- A | b\n:::\n", "::: audience topic=t\n"],
]


@given(body=st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
@hypothesis_settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_article_compiles_or_is_refused(body: str, root: Path, settings: Settings) -> None:
    path = root / "any.md"
    head = "subject: S\npreheader: P\ndate: 2026-01-01\ntitle: T\n"
    path.write_text(f"---\n{head}---\n{body}", encoding="utf-8")
    try:
        compiled = compile_issue(read_issue(path, root=root), settings)
    except InputError:
        return
    assert deserialize(serialize(compiled)) == compiled
    for variant in compiled.variants:
        html = preview_part(variant.html, {"first_name": "<b>Zoë</b>"})
        assert not lxml_html.fromstring(html).xpath("//script|//b|//mj-text|//@onclick")
        assert html.count("<!--[if") == html.count("<![endif]-->")
        text = preview_part(variant.text, {"first_name": "Zoë"})
        assert all(line == line.rstrip(" ") for line in text.split("\n"))
