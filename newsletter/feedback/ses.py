"""Amazon SES notifications that arrive by mail: JSON from SNS.

Source: docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

from __future__ import annotations

import json
from typing import Any

from newsletter.feedback.addresses import clean
from newsletter.feedback.delivery_status import StatusEntry
from newsletter.feedback.diagnostics import find_reply, judge
from newsletter.feedback.message import Mail
from newsletter.feedback.model import FeedbackKind, FeedbackReport, ReportedRecipient
from newsletter.smtp_replies.classify import ReplyClass

_MARK = '{"notificationType"'


def read_ses_notification(mail: Mail) -> FeedbackReport | None:
    """The report in a notification; None if the message is none."""
    text = mail.notice.lstrip()
    if not text.startswith(_MARK):
        return None
    try:
        # Long lines come folded as "!\n " by older mail systems.
        told = json.JSONDecoder(strict=False).raw_decode(text.replace("!\n ", ""))[0]
    except (ValueError, RecursionError):
        return None
    kind = told.get("notificationType")
    if kind == "Bounce":
        return FeedbackReport(
            FeedbackKind.BOUNCE, tuple(map(_bounced, _people(told, "bounce", "bouncedRecipients")))
        )
    if kind == "Complaint":
        people = _people(told, "complaint", "complainedRecipients")
        found = tuple(
            ReportedRecipient(_address(p), ReplyClass.HARD, reason="abuse") for p in people
        )
        return FeedbackReport(FeedbackKind.COMPLAINT, found, feedback_type="abuse")
    return FeedbackReport(FeedbackKind.DELIVERED) if kind == "Delivery" else None


def _people(told: dict[str, Any], part: str, name: str) -> list[dict[str, Any]]:
    inner = told.get(part)
    people = inner.get(name) if isinstance(inner, dict) else None
    return [p for p in people if isinstance(p, dict)] if isinstance(people, list) else []


def _address(person: dict[str, Any]) -> str:
    return clean(str(person.get("emailAddress", "")))


def _bounced(person: dict[str, Any]) -> ReportedRecipient:
    entry = StatusEntry.from_fields(
        {
            "final-recipient": str(person.get("emailAddress", "")),
            "action": str(person.get("action", "")),
            "status": str(person.get("status", "")),
            "diagnostic-code": str(person.get("diagnosticCode", "")),
        }
    )
    said = find_reply(entry.diagnostic)
    verdict = judge(said, status=entry.status, delayed=entry.action == "delayed")
    return ReportedRecipient(
        entry.address, verdict, said.status or entry.status, said.reply, said.text
    )
