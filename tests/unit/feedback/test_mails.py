"""Whole messages, one per layout: what they are and whom they are about."""

import json
from pathlib import Path

import pytest

from newsletter.cli.bounces import as_lines, as_object
from newsletter.feedback.classify import classify
from newsletter.feedback.model import FeedbackKind
from tests.support.golden import check_golden

MAILS = Path(__file__).parent / "mails"
FILES = sorted(MAILS.glob("*.eml"))


def test_golden_classification():
    rows = [as_object(Path(file.name), classify(file.read_bytes())) for file in FILES]
    check_golden("feedback/classified.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def test_golden_classification_for_people():
    shown = [as_lines(Path(file.name), classify(file.read_bytes())) for file in FILES]
    check_golden("feedback/classified.txt", "\n".join(shown) + "\n")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("end", [b"\r\n", b"\r"], ids=["crlf", "cr"])
def test_line_endings_make_no_difference(file, end):
    raw = file.read_bytes()
    assert classify(raw.replace(b"\n", end)) == classify(raw)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_mbox_line_makes_no_difference(file):
    raw = file.read_bytes()
    assert classify(b"From MAILER-DAEMON  Sun Sep  7 21:40:07 2008\n" + raw) == classify(raw)


@pytest.mark.parametrize(
    "name", ["vacation", "read-receipt", "letter", "letter-about-a-bounce", "success-report"]
)
def test_other_mail_is_not_taken_for_a_bounce(name):
    report = classify((MAILS / f"{name}.eml").read_bytes())
    assert report.kind in {FeedbackKind.AUTO_REPLY, FeedbackKind.OTHER, FeedbackKind.DELIVERED}
    assert all(recipient.verdict == "unknown" for recipient in report.recipients)


@pytest.mark.parametrize(
    ("name", "message_id"),
    [
        ("postfix-user-unknown", "<d1.s2@news.clinic.example>"),
        ("exim-text-only", "<d2.s2@news.clinic.example>"),
        ("arf-abuse", "<d5.s2@news.clinic.example>"),
        ("gmail-delay", ""),
    ],
)
def test_the_original_message_id_comes_from_the_returned_header(name, message_id):
    assert classify((MAILS / f"{name}.eml").read_bytes()).message_id == message_id


@pytest.mark.parametrize(
    "header",
    ["In-Reply-To: <d9.s2@news.clinic.example>", "References: <d9.s2@news.clinic.example>"],
)
def test_a_bounce_without_the_message_names_it_in_its_own_header(header):
    raw = (MAILS / "gmail-delay.eml").read_bytes()
    assert classify(header.encode() + b"\n" + raw).message_id == "<d9.s2@news.clinic.example>"


def test_a_report_may_name_the_message_in_its_fields():
    raw = (MAILS / "dns-failure-still-temporary.eml").read_bytes()
    field = b"Reporting-MTA: dns; provider.example\n"
    named = raw.replace(field, field + b"X-Original-Message-ID: <d9.s2@news.clinic.example>\n")
    assert classify(named).message_id == "<d9.s2@news.clinic.example>"


def test_an_address_is_reported_once_and_hard_outweighs_the_rest():
    raw = (
        b"From: MAILER-DAEMON@mta.example\nContent-Type: message/delivery-status\n\n"
        b"Final-Recipient: rfc822; Anna@reader.example\nAction: failed\nStatus: 4.4.7\n\n"
        b"Final-Recipient: rfc822; anna@reader.example\nAction: failed\nStatus: 5.1.1\n\n"
        b"Final-Recipient: rfc822; ANNA@reader.example\nAction: failed\nStatus: 5.2.2\n"
    )
    recipients = classify(raw).recipients
    assert [(r.verdict, r.status) for r in recipients] == [("hard", "5.1.1")]
