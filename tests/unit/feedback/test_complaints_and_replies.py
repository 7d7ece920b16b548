"""Complaints, unsubscribe requests and automatic replies."""

import pytest

from newsletter.feedback.classify import classify
from newsletter.feedback.model import FeedbackKind


def feedback(kind: str) -> bytes:
    return (
        "From: feedback@provider.example\nContent-Type: multipart/report;"
        " report-type=feedback-report; boundary=f\n\n--f\nContent-Type: message/feedback-report\n\n"
        f"Feedback-Type: {kind}\nVersion: 1\nOriginal-Rcpt-To: anna@reader.example\n\n--f--\n"
    ).encode()


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("abuse", "hard"),
        ("fraud", "hard"),
        ("Opt-Out", "hard"),
        ("auth-failure", "policy"),
        ("virus", "policy"),
        ("not-spam", "unknown"),
        ("something-new", "unknown"),
    ],
)
def test_only_complaints_and_opt_outs_suppress(kind, verdict):
    report = classify(feedback(kind))
    assert report.kind is FeedbackKind.COMPLAINT
    assert report.feedback_type == kind.lower()
    assert [(r.address, r.verdict) for r in report.recipients] == [("anna@reader.example", verdict)]


def test_a_feedback_report_sent_as_plain_text_is_read():
    raw = feedback("abuse").replace(b"message/feedback-report", b"text/plain")
    assert classify(raw).recipients == classify(feedback("abuse")).recipients


def test_a_redacted_complaint_still_counts():
    raw = feedback("abuse").replace(b"Original-Rcpt-To: anna@reader.example\n", b"")
    report = classify(raw)
    assert (report.kind, report.recipients) == (FeedbackKind.COMPLAINT, ())


def test_a_complaint_in_another_format_names_its_recipient():
    raw = (
        b"From: staff@provider.example\nSubject: complaint about message from 192.0.2.1\n"
        b"Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: message/rfc822\n\n"
        b"X-HmXmrOriginalRecipient: anna@reader.example\nSubject: Spring news\n\n--m--\n"
    )
    report = classify(raw)
    assert report.kind is FeedbackKind.COMPLAINT
    assert [r.address for r in report.recipients] == ["anna@reader.example"]


def letter(*headers: str) -> bytes:
    return "\n".join(("From: Anna <anna@reader.example>", *headers, "", "I am away.")).encode()


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-replied (vacation)",
        "Precedence: auto_reply",
        "X-Autoreply: yes",
        "Subject: Automatic reply: Spring news",
        "Subject: Re: Out of the office",
        "Subject: =?utf-8?q?R=C3=A9ponse_automatique?= : absent",
        "Subject: Abwesenheitsnotiz: Spring news",
    ],
)
def test_autoresponders_are_recognized(header):
    assert classify(letter(header)).kind is FeedbackKind.AUTO_REPLY


@pytest.mark.parametrize(
    "header",
    ["Subject: Spring news", "Auto-Submitted: no", "Auto-Submitted: auto-generated",
     "Precedence: bulk", "Subject: Re: Automatic doors"],
)  # fmt: skip
def test_letters_are_not_automatic_replies(header):
    assert classify(letter(header)).kind is FeedbackKind.OTHER


@pytest.mark.parametrize("subject", ["unsubscribe", "UNSUBSCRIBE ", "Unsubscribe"])
def test_an_unsubscribe_request_by_mail_is_recognized(subject):
    report = classify(letter(f"Subject: {subject}"))
    assert (report.kind, report.feedback_type) == (FeedbackKind.COMPLAINT, "opt-out")
    assert [r.address for r in report.recipients] == ["anna@reader.example"]
