"""Replies are the same however their bytes are split; a command is never more than one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.model import Message
from newsletter.transports.smtp.protocol import (
    MAX_LINE,
    MAX_LINES,
    CannotCarryError,
    Capabilities,
    Reply,
    ReplyParser,
    envelope,
    fault_in,
)

PLAIN = Capabilities(Reply(250, "relay.example"))
RICH = Capabilities(Reply(250, "relay.example\nPIPELINING\nsize 1000\nSMTPUTF8\nAUTH PLAIN LOGIN"))

codes = st.integers(200, 599)
texts = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=40)
wholes = st.tuples(codes, st.lists(texts, min_size=1, max_size=5))
cuts = st.lists(st.integers(1, 7), min_size=1)


def wire(whole):
    code, lines = whole
    last = len(lines) - 1
    return b"".join(
        f"{code}{' ' if n == last else '-'}{line}\r\n".encode() for n, line in enumerate(lines)
    )


def read(data, pieces):
    parser = ReplyParser()
    replies, start, turn = [], 0, 0
    while start < len(data):
        step = pieces[turn % len(pieces)] if pieces else len(data)
        replies += parser.feed(data[start : start + step])
        start, turn = start + step, turn + 1
    return replies, bool(parser.error)


@given(st.lists(wholes, max_size=6), cuts)
def test_replies_are_read_however_they_are_split(sent, pieces):
    data = b"".join(map(wire, sent))
    expected = [Reply(code, "\n".join(lines)) for code, lines in sent]
    assert read(data, pieces) == (expected, False)
    assert read(data, None) == (expected, False)


fragments = st.sampled_from(
    [b"250", b" ok", b"-", b"\r\n", b"\r", b"\n", b"354", b"x" * 600, b"\0"]
)


@given(st.one_of(st.binary(max_size=60), st.lists(fragments, max_size=30).map(b"".join)), cuts)
def test_garbage_reads_the_same_however_it_is_split(data, pieces):
    replies, _ = read(data, pieces)
    assert replies == read(data, None)[0]


@pytest.mark.parametrize(
    "line", [b"250 ok\n", b"25", b"2500 x", b"abc", b"150 x", b"250+x", b"\xff"]
)
def test_an_invalid_reply_is_an_error_and_ends_the_reading(line):
    assert read(line + b"\r\n250 ok\r\n", None) == ([], True)


def test_replies_before_the_garbage_count():
    assert read(b"250 yes\r\nrubbish\r\n250 no\r\n", None) == ([Reply(250, "yes")], True)


@given(st.integers(MAX_LINE - 8, MAX_LINE + 3), cuts)
def test_lines_are_bounded(length, pieces):
    line = b"250 ".ljust(length, b"x")
    assert read(line + b"\r\n", pieces)[1] is (length > MAX_LINE)


def test_endless_lines_and_replies_are_bounded():
    assert read(b"2" * (MAX_LINE + 2), None)[1]
    assert read(b"250-x\r\n" * MAX_LINES, None)[1]


def test_the_lines_of_one_reply_have_one_code():
    assert read(b"250-a\r\n550 b\r\n", None) == ([], True)


def test_capabilities():
    assert (RICH.pipelining, RICH.smtputf8, RICH.size) == (True, True, 1000)
    assert RICH.logins == {"PLAIN", "LOGIN"}
    assert (PLAIN.pipelining, PLAIN.smtputf8, PLAIN.size) == (False, False, 0)
    for odd in ("SIZE", "SIZE x", "SIZE ²", "SIZE -1"):
        assert Capabilities(Reply(250, f"relay\n{odd}\n")).size == 0


texts_with_at = st.one_of(st.text(), st.tuples(st.text(), st.text()).map("@".join))
surrogates = st.text(st.characters(categories=["Cs"]), max_size=2).map("a{}@b.example".format)


@given(texts_with_at, st.one_of(texts_with_at, surrogates), st.sampled_from([PLAIN, RICH]))
def test_an_envelope_is_two_commands_for_any_addresses(sender, reader, server):
    try:
        made = envelope(Message(sender, reader, b"x\r\n"), server)
    except CannotCarryError:
        return
    for command, start in ((made.mail, b"MAIL FROM:<"), (made.rcpt, b"RCPT TO:<")):
        assert command.startswith(start)
        assert command.endswith(b"\r\n")
        assert command.count(b"\r") == command.count(b"\n") == command.count(b"<") == 1


def test_the_servers_extensions_are_used():
    made = envelope(Message("a@b.example", "jörg@bücher.example", b"x\r\n"), RICH)
    assert made.mail == b"MAIL FROM:<a@b.example> SIZE=3 SMTPUTF8\r\n"
    assert made.rcpt == "RCPT TO:<jörg@xn--bcher-kva.example>\r\n".encode()
    with pytest.raises(CannotCarryError, match=r"5\.3\.4"):
        envelope(Message("a@b.example", "c@d.example", b"x" * 1001), RICH)


def test_a_valid_message_has_no_fault():
    assert fault_in(b"Subject: x\r\n\r\n" + b"y" * 998 + b"\r\n") == ""


@given(st.binary(max_size=80))
def test_a_message_without_a_fault_cannot_end_early(data):
    if not fault_in(data):
        assert b"\r\n.\r\n" not in b"\r\n" + data
        assert data.replace(b"\r\n", b"").isascii()
        assert not set(b"\r\n\0") & set(data.replace(b"\r\n", b""))
