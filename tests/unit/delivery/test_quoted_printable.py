"""Pieces of quoted-printable: what joins to what, and what no line may look like."""

import quopri
import re

from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.compose.quoted_printable import encode_slot, encode_text

hostile = st.lists(
    st.one_of(
        st.sampled_from([*"= \t.\n\r-_<>'&é😀\u202e", "From ", "\n.", "\nFrom ", " \n", "x" * 70]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    ),
    max_size=20,
).map("".join)
values = hostile.map(lambda text: re.sub("[\r\n]", " ", text))


def lines_of(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


@given(st.lists(st.tuples(hostile, values), max_size=4), hostile)
def test_joined_pieces_decode_to_the_joined_text(pairs: list[tuple[str, str]], last: str) -> None:
    encoded = b"".join(encode_text(text) + encode_slot(value) for text, value in pairs)
    encoded += encode_text(last)
    expected = "".join(lines_of(text) + value for text, value in pairs) + lines_of(last)
    assert quopri.decodestring(encoded).decode() == expected


@given(st.lists(st.tuples(hostile, values), max_size=4))
def test_every_line_is_safe_on_the_wire(pairs: list[tuple[str, str]]) -> None:
    encoded = b"".join(encode_text(text) + encode_slot(value) for text, value in pairs)
    assert encoded.isascii()
    assert b"\r" not in encoded.replace(b"\r\n", b"")
    for line in encoded.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith((b".", b"From ", b" "))
        assert not line.endswith(b" ")
        assert b"  " not in line
        assert b"\t" not in line


def test_plain_text_stays_readable() -> None:
    assert encode_text("Dear reader,\n") == b"Dear reader,\r\n"
    assert encode_slot("Maria") == b"Maria=\r\n"


def test_an_empty_value_leaves_nothing() -> None:
    assert encode_slot("") == b""
