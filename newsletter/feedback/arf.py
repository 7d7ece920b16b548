"""Feedback reports (ARF, RFC 5965), and complaints from providers that do not use the format."""

from __future__ import annotations

import re

from newsletter.feedback.addresses import ADDRESS, clean
from newsletter.feedback.message import FEEDBACK, Fields, Mail, parse_fields
from newsletter.feedback.model import FeedbackKind, FeedbackReport, ReportedRecipient
from newsletter.smtp_replies.classify import ReplyClass

_VERDICTS = {
    **dict.fromkeys(
        ("abuse", "fraud", "opt-out", "opt-out-list", "dismiss", "miscategorized"), ReplyClass.HARD
    ),
    # About our own setup (RFC 6591): nobody complained.
    **dict.fromkeys(("auth-failure", "virus", "dmarc"), ReplyClass.BLOCK),
}
"""By feedback type (RFC 5965 section 7.3): hard where the subscriber wants no more mail."""
_RECIPIENTS = ("Original-Rcpt-To", "Removal-Recipient", "Final-Recipient")
_HOTMAIL = ("X-HmXmrOriginalRecipient", "X-MS-Exchange-Organization-OriginalRecipient")
_COMPLAINT = re.compile(r"complaint about (?:a )?message from|e-?mail feedback report", re.I)
_WITNESS = re.compile(r"(?im)^(?:User-Agent|Version|Source-IP|Original-Mail-From|Reported-Domain):")
_TYPE = re.compile(r"(?im)^Feedback-Type:[ \t]*([a-z-]{1,40})")


def read_feedback(mail: Mail) -> FeedbackReport | None:
    """The complaint that a message reports; None if it reports none."""
    texts = mail.texts(FEEDBACK)
    # Some providers declare the report's part as plain text.
    is_report = "feedback-report" in mail.fields.get("Content-Type").lower() or any(
        _TYPE.search(part) and _WITNESS.search(part) for part in mail.texts("text/plain")
    )
    if texts or is_report:
        text = texts[0] if texts else mail.all_text
        start = _TYPE.search(text)
        return _report(mail, parse_fields(text[start.start() :] if start else text.lstrip("\n"))[0])
    recipient = next((value for name in _HOTMAIL if (value := mail.returned.get(name))), "")
    if recipient or _COMPLAINT.search(mail.fields.decoded("Subject")):
        return _report(mail, Fields([("Feedback-Type", "abuse"), ("Original-Rcpt-To", recipient)]))
    return None


def _report(mail: Mail, fields: Fields) -> FeedbackReport:
    kind = fields.get("Feedback-Type").strip().lower()
    verdict = _VERDICTS.get(kind, ReplyClass.UNKNOWN)
    named = [clean(value) for name in _RECIPIENTS for value in fields.all(name)]
    found = list(filter(None, named)) or re.findall(ADDRESS, mail.returned.get("To")[:2000])
    return FeedbackReport(
        kind=FeedbackKind.COMPLAINT,
        recipients=tuple(ReportedRecipient(a, verdict, reason=kind) for a in dict.fromkeys(found)),
        feedback_type=kind,
    )
