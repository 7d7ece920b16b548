"""A composed message, read back by two parsers that know nothing of each other."""

import re
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import cast

import fast_mail_parser
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.audience.model import Token, TokenPurpose
from newsletter.delivery.model import Delivery
from newsletter.errors import InputError
from newsletter.render.model import UNSUBSCRIBE_TOKEN, Part, Sender, SlotKind
from newsletter.render.slots import preview_part
from tests.support.golden import check_golden
from tests.unit.delivery.issues import SENDER, SIGNER, UNSUBSCRIBE, compiled, composer, name, reader

HOSTILE = [*"\"'<>=.,&\\\n\0é😀", "=?utf-8?q?", "?=", "\r\n", "From ", "  ", "\u202eمرحبا"]
HOSTILE += ["\r\n.\r\n", "\nBcc: x@y.example", "=?utf-8?b?eA==?=", "a" * 80]
hostile = st.lists(
    st.one_of(
        st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    ),
    max_size=12,
).map("".join)
parts = st.lists(
    st.one_of(
        st.sampled_from([".", "\n", "\n.", "\nFrom ", " \n", "  ", "=", "é", "--"]),
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20),
    ),
    max_size=12,
).map("".join)


def parse(data: bytes) -> EmailMessage:
    return cast("EmailMessage", message_from_bytes(data, policy=policy.default))


def body(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    raw = found.get_payload(decode=True)
    assert isinstance(raw, bytes)
    return raw.decode().replace("\r\n", "\n")


@given(hostile, parts, parts)
@example("", "", "")
@example("x" * 5000, "a", "b")
@example("ü" * 5000, "a", "b")
@example("مريم " * 40, ".", "From ")
@example("From Maria", "", "\n")
def test_two_parsers_read_back_a_direct_fill(first_name: str, before: str, after: str) -> None:
    text = Part((before, after, "\n"), (name(SlotKind.TEXT), UNSUBSCRIBE))
    html = Part((before, after, ""), (name(SlotKind.HTML), UNSUBSCRIBE))
    issue = compiled(text=text, html=html)
    variant = issue.variants[0]
    message = composer(issue)(reader(first_name=first_name))
    token = SIGNER.sign(Token(TokenPurpose.UNSUBSCRIBE, False, 1001, 7))
    values = {"first_name": first_name, UNSUBSCRIBE_TOKEN: token}
    subject = preview_part(variant.subject, values)
    expected_text = preview_part(text, values)
    expected_html = preview_part(html, values)

    stdlib = parse(message.data)
    assert stdlib["Subject"] == subject
    assert body(stdlib, "plain") == expected_text
    assert body(stdlib, "html") == expected_html
    assert not stdlib.defects

    other = fast_mail_parser.parse_email(message.data)
    assert other.subject == subject
    assert [part.replace("\r\n", "\n") for part in other.text_plain] == [expected_text]
    assert [part.replace("\r\n", "\n") for part in other.text_html] == [expected_html]


@given(hostile)
def test_every_line_is_fit_for_the_wire(first_name: str) -> None:
    data = composer(compiled())(reader(first_name=first_name)).data
    assert data.isascii()
    assert b"\0" not in data
    assert data.endswith(b"\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", data)
    assert b"\r\n." not in data
    assert max(len(line) for line in data.split(b"\r\n")) <= 100
    for word in re.findall(rb"=\?utf-8\?.*?\?=", data):
        assert len(word) <= 75
    head = data.partition(b"\r\n\r\n")[0]
    assert [line for line in head.split(b"\r\n") if line.startswith((b"Bcc", b"X-"))] == []


def test_headers_are_exact() -> None:
    message = parse(composer(compiled())(reader(3)).data)
    token = SIGNER.sign(Token(TokenPurpose.UNSUBSCRIBE, False, 1003, 7))
    assert message.keys() == [
        "From",
        "Reply-To",
        "To",
        "Date",
        "Message-ID",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "List-Id",
        "Feedback-ID",
        "Subject",
        "MIME-Version",
        "Content-Type",
    ]
    assert message["From"] == '"Dr. Darrow’s newsletter" <newsletter@clinic.example>'
    assert message["To"] == "reader3@mail.example"
    assert message["Date"] == "Mon, 21 Sep 2026 14:13:20 +0000"
    assert message["List-Unsubscribe"] == f"<https://clinic.example/u/{token}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Id"] == "<newsletter.clinic.example>"
    sender_id = message["Feedback-ID"].split(":")[-1]
    assert 5 <= len(sender_id) <= 15


def test_a_whole_message_looks_right() -> None:
    data = composer(compiled())(reader(first_name="Zoë")).data
    check_golden("delivery/message.eml", data.decode("ascii"))


def test_list_headers_stay_plain_however_long() -> None:
    sender = Sender(
        from_name="News",
        from_address="news@clinic.example",
        reply_to="",
        list_id="newsletter.of.a.clinic.with.a.long.name.and.many.labels.in.its.domain.example",
        list_name="The newsletter, of a clinic",
        public_url="https://a-long-name-for-a-public-address.of-a-clinic.example/newsletter",
    )
    data = composer(compiled(sender=sender))(reader()).data
    assert b'List-Id: "The newsletter, of a clinic" <newsletter.of.a.clinic.with.' in data
    line = next(line for line in data.split(b"\r\n") if line.startswith(b"List-Unsubscribe:"))
    assert line.endswith(b">")
    assert b"Reply-To" not in data


def test_the_message_id_is_one_persons_on_every_run_and_tells_nothing() -> None:
    runs = [composer(compiled(), date=date) for date in (1.0, 2.0)]
    ids = [[parse(run(reader(n)).data)["Message-ID"] for n in (1, 2)] for run in runs]
    assert ids[0] == ids[1]
    assert ids[0][0] != ids[0][1]
    assert "reader" not in ids[0][0]
    assert ids[0][0].endswith("@clinic.example>")


def test_proof_messages_carry_proof_tokens_and_are_no_repeats() -> None:
    one, two = (
        composer(compiled(), proof=True, date=date, subject_prefix="[TEST] ")(reader())
        for date in (1.0, 2.0)
    )
    token = re.search(rb"/u/([\w-]+)>", one.data)
    assert token
    found = SIGNER.verify(token[1].decode(), TokenPurpose.UNSUBSCRIBE)
    assert found == Token(TokenPurpose.UNSUBSCRIBE, True, 1001, 7)
    assert parse(one.data)["Subject"].startswith("[TEST] For Maria")
    assert parse(one.data)["Message-ID"] != parse(two.data)["Message-ID"]


def test_the_envelope_sender_names_the_reader_by_token_only() -> None:
    message = composer(compiled())(reader())
    local, _, domain = message.mail_from.partition("@")
    found = SIGNER.verify(local.removeprefix("bounces+"), TokenPurpose.BOUNCE)
    assert domain == "clinic.example"
    assert found == Token(TokenPurpose.BOUNCE, False, 1001, 7)
    without = composer(compiled(), bounce_address="")(reader())
    assert without.mail_from == "newsletter@clinic.example"


@pytest.mark.parametrize(
    "address",
    ["a@b.example\r\nBcc: c@d.example", "a\0@b.example", "a b@c.example", "<a>@b.example"],
)
def test_an_address_that_breaks_out_is_refused(address: str) -> None:
    delivery = Delivery(7, 1, 1001, address, 0, {})
    with pytest.raises(InputError):
        composer(compiled())(delivery)


def test_an_address_beyond_ascii_fails_alone() -> None:
    """As bytes in a header it would be unfit for any server, and end the whole sending."""
    with pytest.raises(InputError):
        composer(compiled())(Delivery(7, 1, 1001, "müller@mail.example", 0, {}))


@pytest.mark.parametrize(
    "field", ["from_name", "from_address", "reply_to", "list_id", "public_url"]
)
@pytest.mark.parametrize("bad", ["\r\nBcc: x@y.example", "\n", "\0"])
def test_a_sender_value_that_breaks_out_is_refused(field: str, bad: str) -> None:
    values = {name: getattr(SENDER, name) for name in SENDER.__slots__}
    sender = Sender(**{**values, field: values[field] + bad})
    with pytest.raises(InputError):
        composer(compiled(sender=sender))


def test_a_domain_goes_out_in_ascii() -> None:
    message = composer(compiled())(Delivery(7, 1, 1001, "maria@bücher.example", 0, {}))
    assert message.rcpt_to == "maria@xn--bcher-kva.example"
    assert b"To: maria@xn--bcher-kva.example\r\n" in message.data


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=80))
def test_any_from_name_is_read_back(from_name: str) -> None:
    values = {name: getattr(SENDER, name) for name in SENDER.__slots__}
    sender = Sender(**{**values, "from_name": from_name})
    # The newer parser of Python 3.11 keeps the blank between two encoded words of a phrase.
    message = message_from_bytes(composer(compiled(sender=sender))(reader()).data)
    phrase, address = parseaddr(message["From"].replace("\r\n", ""))
    assert str(make_header(decode_header(phrase))).split() == from_name.split()
    assert address == "newsletter@clinic.example"
