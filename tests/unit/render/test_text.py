"""The text part: wrapped, cited and complete."""

import re
from gettext import NullTranslations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.blocks import group
from newsletter.content.markdown import parse
from newsletter.content.model import AudienceBlock
from newsletter.i18n.catalog import Translator
from newsletter.render.slots import preview_part
from newsletter.render.text_blocks import write_text_blocks
from newsletter.render.wrap import WIDTH, underline, wrap
from tests.unit.render.conftest import Compile

WORDS = st.lists(st.text("abcdefgh-/%0", min_size=1, max_size=20), max_size=40).map(" ".join)
BODY = st.text("abc -/\n%9\u00a0é", max_size=300)


def text_of(build: Compile, body: str, head: str = "") -> str:
    return preview_part(build(body, head=head).variants[0].text, {})


@given(WORDS)
def test_wrapping_keeps_words_whole_and_in_order(words: str) -> None:
    wrapped = wrap(words, "- ", "  ")
    assert wrapped.split()[1:] == words.split()
    assert all(len(line) <= WIDTH for line in wrapped.split("\n"))


@given(BODY)
def test_wrapping_keeps_line_breaks_and_no_trailing_spaces(text: str) -> None:
    lines = wrap(text).split("\n")
    assert len(lines) >= text.count("\n") + 1
    assert all(line == line.rstrip(" ") for line in lines)


def test_a_url_is_never_broken() -> None:
    url = "https://doi.org/" + "x" * 100
    assert url in wrap(f"word {url} word").split("\n")


def test_a_number_stays_with_its_percent_sign() -> None:
    assert wrap("x" * 68 + " 67 % of them").split("\n") == ["x" * 68, "67 % of them"]


@given(st.text("abc ", min_size=1, max_size=200).filter(str.strip))
def test_an_underline_is_as_long_as_its_heading(text: str) -> None:
    *heading, line = underline(text).split("\n")
    assert line == "-" * min(max(map(len, heading)), WIDTH)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("*a* **b** `c`", "*a* *b* c"),
        ("a\\\nb\nc", "a\nb c"),
        ("[x](https://a.example/b)", "x <https://a.example/b>"),
        ("<https://a.example/b>", "https://a.example/b"),
        ("[call](tel:+1800300) or [mail](mailto:a@clinic.example)", "call or mail"),
        ("- a\n- b\n\n  - c", "- a\n\n- b\n\n  - c"),
        ("- a\n  - b\n- c", "- a\n  - b\n- c"),
        ("- a\n  ```\n  x\n\n  y\n  ```", "- a\n      x\n\n      y"),
        ("-\n- b", "- b"),
        ("3. a\n4. b", "3. a\n4. b"),
        ("> a\n>\n> - b", "> a\n\n> - b"),
        ("## A heading", "\n\nA heading\n---------\n"),
        ("a\n\n***\n\nb", "a\n\n* * *\n\nb"),
        ("```\n  x = 1\n\n  y\n```", "      x = 1\n\n      y"),
        ("> ## a\n>\n> b", "> a\n\n> b"),
        ("| A | B |\n|---|---|\n| x | 1 |", "- A: x\n  B: 1\n"),
        ("| | B | C |\n|--|--|--|\n| x | 1 | |", "- x\n  B: 1\n"),
        ("| A | B |\n|---|---|", "- A, B\n"),
        ("> | A | B |\n> |---|---|\n> | x | 1 |", "> - A: x\n>   B: 1\n"),
        ("a.[^1][^2]\n\n[^1]: One. doi:10.1000/1.\n[^2]: Two.", "a.[1,2]\n"),
        ("a[^1]\n\n[^1]: One. *J*. doi:10.1000/1.", "[1] One. J. https://doi.org/10.1000/1\n"),
        ("::: bars Of 9\n- 50 % | had it\n:::", "\n| Of 9\n|\n| - 50 %: had it\n\n"),
        ("::: study\n- Who | 9 people\n:::", "\n| - Who: 9 people\n\n"),
        ("::: glance In short\n- a\n- b\n:::\nc", "\n| In short\n|\n| - a\n| - b\n\nc\n"),
        ("::: note Soon\n## a\nb\n\n- c\n:::\nd", "| Soon\n|\n| a\n|\n| b\n|\n| - c\n\nd\n"),
        (
            "::: note\n> a\n>\n> b\n\n```\nx\n\ny\n```\n:::",
            "| > a\n|\n| > b\n|\n|     x\n|\n|     y\n",
        ),
        ("::: note\n| A | B |\n|--|--|\n| x | 1 |\n:::", "\n| - A: x\n|   B: 1\n"),
    ],
)
def test_each_element(build: Compile, body: str, expected: str) -> None:
    assert expected in text_of(build, body + "\n")


@given(WORDS.filter(str.strip), WORDS.filter(str.strip))
def test_a_box_marks_exactly_its_own_lines(title: str, words: str) -> None:
    tokens = parse(f"::: note {title}\n{words}\n\n- {words}\n:::\n\n{words}\n")
    text = write_text_blocks(
        [block for block in group(tokens) if not isinstance(block, AudienceBlock)],
        {},
        Translator("en", NullTranslations()),
    )
    box, _, rest = text.partition("\n\n")
    assert all(line == "|" or line.startswith("| ") for line in box.split("\n"))
    assert "|" not in rest
    assert max(map(len, text.split("\n"))) <= WIDTH


def test_a_url_in_a_box_is_not_broken(build: Compile) -> None:
    url = "https://www.clinic.example/" + "x" * 60
    text = text_of(build, f"::: note\nSee [the page]({url}).[^1]\n:::\n\n[^1]: One.\n")
    assert f"\n| See the page\n| <{url}>.[1]\n" in text


def test_the_text_part_is_complete(build: Compile) -> None:
    text = text_of(
        build, "Text.\n", "call_to_action: {label: Ask us, url: 'https://a.example/?b=1&c=2'}\n"
    )
    assert "Ask us:\nhttps://a.example/?b=1&c=2\nCall 800 300\n" in text
    assert "We give no advice. <b>Call</b> 911 & wait.\n\nThere is no guarantee.\n" in text
    assert "\nhttps://news.clinic.example/u/preview\n" in text
    assert "\nhttps://news.clinic.example/join\n" in text
    assert text.endswith("\n\n1 Sample Street, Sample Town\n")
    assert text.startswith("Ørsted & Sons “Letter”\nMarch 1, 2026, 1 minute to read\n")


def test_no_three_empty_lines_and_no_trailing_spaces(build: Compile) -> None:
    text = text_of(build, "a\n\n## b\n\nc\n")
    assert not re.search(r"\n\n\n\n| \n", text)


def test_reading_time_counts_words_and_not_marks(build: Compile) -> None:
    words = "word " * 219
    assert "1 minute to read" in text_of(build, f"::: note\n- {words}\n:::\n")
    assert "2 minutes to read" in text_of(build, f"::: note\n- {words} and more\n:::\n")
