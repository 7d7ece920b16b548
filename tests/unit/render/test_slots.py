"""Values as they are written into slots."""

import html
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.render.model import Part, Slot, SlotKind
from newsletter.render.slots import LONGEST, encode_value, preview_part

ANY = st.text(st.characters(), max_size=40)
BREAKS = "\r\n\x00\x0b\x0c\x85\u2028\u2029"


@given(ANY, st.sampled_from([SlotKind.TEXT, SlotKind.HTML]))
def test_no_value_can_start_a_line(value: str, kind: SlotKind) -> None:
    written = encode_value(kind, value)
    assert not set(written) & set(BREAKS)
    assert len(written.splitlines()) <= 1
    written.encode()


@given(ANY)
def test_html_reads_back_as_the_text(value: str) -> None:
    written = encode_value(SlotKind.HTML, value)
    assert not set(written) & set("<>\"'")
    assert html.unescape(written) == encode_value(SlotKind.TEXT, value)


@given(ANY)
def test_url_part_stays_one_part(value: str) -> None:
    written = encode_value(SlotKind.URL_PART, value)
    assert not set(written) & set("/?#&=%<>\"' ") - {"%"}
    assert unquote(written) == encode_value(SlotKind.TEXT, value)


@given(st.one_of(ANY, ANY.map(lambda tail: f"https://clinic.example/{tail}")))
def test_a_url_is_https_or_nothing(value: str) -> None:
    written = encode_value(SlotKind.TEXT_URL, value)
    assert written.isascii()
    assert not set(written) & set(' <>"\\')
    assert written == "" or urlsplit(written).scheme == "https"
    assert html.unescape(encode_value(SlotKind.URL, value)) == written


@pytest.mark.parametrize(
    "value",
    [
        "javascript:alert(1)",
        "http://clinic.example/",
        "https://clinic.example@evil.example/",
        "https://",
        "https:///path",
        "//evil.example",
        "https://clinic.example\\@evil.example/",
        " data:text/html,x",
    ],
)
def test_other_urls_are_replaced_by_the_default(value: str) -> None:
    assert encode_value(SlotKind.URL, value, "https://a.example/?x=1&y=2") == (
        "https://a.example/?x=1&amp;y=2"
    )
    assert encode_value(SlotKind.URL, value, value) == ""


@pytest.mark.parametrize("value", ["", " ", "\r\n", "\u00a0\t"])
def test_an_empty_value_is_replaced_by_the_default(value: str) -> None:
    assert encode_value(SlotKind.HTML, value, "<there>") == "&lt;there&gt;"
    assert encode_value(SlotKind.URL_PART, value, "a b") == "a%20b"


def test_a_long_value_is_cut() -> None:
    assert encode_value(SlotKind.TEXT, "x" * 5000) == "x" * LONGEST


def test_half_a_character_becomes_a_replacement() -> None:
    assert encode_value(SlotKind.TEXT, "a\ud800b") == "a\ufffdb"


@pytest.mark.parametrize("token", ["", "a b", "a/b", 'a"b', "a\r\nb", "å"])
def test_an_invalid_token_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="token"):
        encode_value(SlotKind.TOKEN, token)


def test_a_preview_fills_each_slot_according_to_its_kind() -> None:
    part = Part(
        ("Hi ", ", <a href='https://x.example/", "'>", "</a>"),
        (
            Slot("first_name", SlotKind.HTML, "there"),
            Slot("unsubscribe_token", SlotKind.TOKEN),
            Slot("city", SlotKind.HTML, "A & B"),
        ),
    )
    assert preview_part(part, {"first_name": "<Zoë>"}) == (
        "Hi &lt;Zoë&gt;, <a href='https://x.example/preview'>A &amp; B</a>"
    )
