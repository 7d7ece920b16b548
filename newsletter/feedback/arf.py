"""Feedback reports (ARF, RFC 5965), and complaints of providers who never took to it."""

from __future__ import annotations

import re

from newsletter.feedback.addresses import ADDRESS, clean
from newsletter.feedback.message import FEEDBACK, Fields, Mail, parse_fields
from newsletter.feedback.model import FeedbackKind, FeedbackReport, ReportedRecipient
from newsletter.smtp_replies.classify import ReplyClass

_WISHES = frozenset(["abuse", "fraud", "opt-out", "opt-out-list", "dismiss", "miscategorized"])
"""The reader, or their provider for them, wants no more (RFC 5965 section 7.3)."""
_ABOUT_US = frozenset(["auth-failure", "virus", "dmarc"])
"""About our own set-up (RFC 6591): nobody complained."""
_RECIPIENTS = ("Original-Rcpt-To", "Removal-Recipient", "Final-Recipient")
_HOTMAIL = ("X-HmXmrOriginalRecipient", "X-MS-Exchange-Organization-OriginalRecipient")
_COMPLAINT = re.compile(r"complaint about (?:a )?message from|e-?mail feedback report", re.I)
_WITNESS = re.compile(r"(?im)^(?:User-Agent|Version|Source-IP|Original-Mail-From|Reported-Domain):")
_TYPE = re.compile(r"(?im)^Feedback-Type:[ \t]*([a-z-]{1,40})")


def read_feedback(mail: Mail) -> FeedbackReport | None:
    """The complaint that a message brings; None if it is none."""
    texts = mail.texts(FEEDBACK)
    declared = "feedback-report" in mail.fields.get("Content-Type").lower() or _inline(mail)
    if texts or declared:
        return _report(mail, _fields(texts[0] if texts else mail.everything))
    told = next((value for name in _HOTMAIL if (value := mail.returned.get(name))), "")
    if told or _COMPLAINT.search(mail.fields.decoded("Subject")):
        return _report(mail, Fields([("Feedback-Type", "abuse"), ("Original-Rcpt-To", told)]))
    return None


def _inline(mail: Mail) -> bool:
    """A report whose part is declared as plain text."""
    return any(_TYPE.search(part) and _WITNESS.search(part) for part in mail.texts("text/plain"))


def _fields(text: str) -> Fields:
    start = _TYPE.search(text)
    return parse_fields(text[start.start() :] if start else text.lstrip("\n"))[0]


def _report(mail: Mail, fields: Fields) -> FeedbackReport:
    kind = fields.get("Feedback-Type").strip().lower()
    verdict = _verdict(kind)
    addresses = [clean(value) for name in _RECIPIENTS for value in fields.all(name)]
    found = [address for address in addresses if address] or re.findall(
        ADDRESS, mail.returned.get("To")[:2000]
    )
    return FeedbackReport(
        kind=FeedbackKind.COMPLAINT,
        recipients=tuple(ReportedRecipient(a, verdict, reason=kind) for a in dict.fromkeys(found)),
        feedback_type=kind,
    )


def _verdict(kind: str) -> ReplyClass:
    if kind in _WISHES:
        return ReplyClass.HARD
    return ReplyClass.BLOCK if kind in _ABOUT_US else ReplyClass.UNKNOWN
