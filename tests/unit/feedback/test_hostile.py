"""Any bytes are classified without an error, in bounded time."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.cli.bounces import as_object
from newsletter.feedback.classify import classify
from newsletter.feedback.message import MAX_BYTES, read
from newsletter.feedback.model import FeedbackKind

MAILS = sorted((Path(__file__).parent / "mails").glob("*.eml"))
LINES = sorted({line for file in MAILS for line in file.read_bytes().split(b"\n")})


def checked(raw: bytes) -> None:
    row = json.loads(json.dumps(as_object(Path("x.eml"), classify(raw))))
    assert row["kind"] in {kind.value for kind in FeedbackKind}
    for recipient in row["recipients"]:
        assert recipient["class"] in {"hard", "temporary", "policy", "unknown"}
        assert recipient["address"] == "" or recipient["address"].count("@") == 1
        assert (recipient["reason"] + recipient["address"]).isprintable()


@given(st.binary(max_size=2000))
def test_any_bytes(raw):
    checked(raw)


@given(st.lists(st.sampled_from(LINES) | st.binary(max_size=40), max_size=60))
def test_lines_of_reports_in_any_order(lines):
    checked(b"\n".join(lines))


@given(st.sampled_from(MAILS), st.integers(0, 3000), st.binary(max_size=30), st.integers(0, 400))
def test_damaged_reports(file, at, scrap, lost):
    raw = file.read_bytes()
    checked(raw[:at] + scrap + raw[at + lost :])


@given(st.text(max_size=12), st.sampled_from("bqBQx"), st.text(max_size=12))
@example("utf-\xff\xfe", "b", "YQ==")
def test_encoded_words_of_any_kind(charset, encoding, text):
    word = f"=?{charset}?{encoding}?{text}?=".encode("utf-8", "replace")
    checked(b"From: " + word + b"\nSubject: " + word + b"\n\n550 5.1.1 a@b.example")


def test_mail_that_breaks_flufl_bounce_logs_nothing(caplog):
    assert (
        classify(b"Subject: failure notice\nFrom: \n\nIt was not delivered.").kind
        is FeedbackKind.OTHER
    )
    assert not caplog.records


MANY = b"".join(b"a%d@b.c: 5\n" % n for n in range(50_000))
DEEP = b"".join(
    b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(20_000)
)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"a" * 10_000_000, id="one line"),
        pytest.param(b"\n" * 10_000_000, id="empty lines"),
        pytest.param(b"a@" * 5_000_000, id="at signs"),
        pytest.param(b"Content-Type: text/html\n\n" + b"<" * 600_000, id="angles"),
        pytest.param(b"Content-Type: text/html\n\n" + b"<style " * 90_000, id="styles"),
        pytest.param(b"Subject: " + b"=?utf-8?q?" * 60_000, id="encoded words"),
        pytest.param(b"From: MAILER-DAEMON\n\n" + b"send mail to " * 50_000, id="words"),
        pytest.param(b"From: MAILER-DAEMON\n\n" + b"mailbox address " * 50_000, id="mailboxes"),
        pytest.param(b"From: MAILER-DAEMON\n\n" + b"a@b.c 550 5.1.1\n" * 40_000, id="recipients"),
        pytest.param(b"From: MAILER-DAEMON\n\n" + b"," * 1_000_000, id="one line of commas"),
        pytest.param(b"From: MAILER-DAEMON\n\n" + b"-" * 1_000_000, id="one line of dashes"),
        pytest.param(b"From: MAILER-DAEMON\n\n" + b"to: x@y. " * 100_000, id="one line of names"),
        pytest.param(b"From: MAILER-DAEMON\n\n" + MANY,
                     id="many recipients"),
        pytest.param(b"Final-Recipient: a@b.c\nAction: failed\n" * 20_000, id="fields"),
        pytest.param(b"From: MAILER-DAEMON\n\n" + b"Action: failed\nStatus: 5.1.1\n\n" * 18_000,
                     id="blocks"),
        pytest.param(b'{"notificationType":' * 25_000, id="json"),
        pytest.param(b"From: a@b.c\n\n" + b'{"notificationType":"Bounce","x":' + b"[" * 400_000,
                     id="deep json"),
        pytest.param(DEEP, id="deep MIME"),
        pytest.param(b"Content-Type: message/rfc822\n\n" * 15_000, id="deep messages"),
        pytest.param(b"Content-Type: text/plain; charset=punycode\n\n" + b"a-" * 250_000,
                     id="slow charset"),
        pytest.param(b"Content-Transfer-Encoding: base64\n\n" + b"*=" * 250_000, id="base64"),
    ],
)  # fmt: skip
def test_extreme_mail_is_read_in_bounded_time(raw):
    checked(raw)


def test_only_the_beginning_is_read():
    mail = read(b"Subject: x\n\n" + b"a" * (MAX_BYTES * 3))
    assert sum(len(part.text) for part in mail.parts) < MAX_BYTES
