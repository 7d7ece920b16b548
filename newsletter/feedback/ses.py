"""Amazon SES notifications that arrive by mail: JSON from SNS.

Source: docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

from __future__ import annotations

import json

from newsletter.feedback.addresses import clean
from newsletter.feedback.delivery_status import StatusEntry
from newsletter.feedback.diagnostics import find_reply, judge
from newsletter.feedback.message import Mail
from newsletter.feedback.model import FeedbackKind, FeedbackReport, ReportedRecipient
from newsletter.smtp_replies.classify import ReplyClass

_MARK = '{"notificationType"'


def read_ses_notification(mail: Mail) -> FeedbackReport | None:
    """The report in a notification; None if the message is not one."""
    text = mail.free_text.lstrip()
    if not text.startswith(_MARK):
        return None
    try:
        # Older mail systems fold long lines with "!\n ".
        told = json.JSONDecoder(strict=False).raw_decode(text.replace("!\n ", ""))[0]
    except (ValueError, RecursionError):
        return None
    kind = told.get("notificationType")
    if kind == "Bounce":
        bounced: list[ReportedRecipient] = []
        for recipient in _recipients(told, "bounce", "bouncedRecipients"):
            entry = StatusEntry.from_fields(
                {
                    "final-recipient": str(recipient.get("emailAddress", "")),
                    "action": str(recipient.get("action", "")),
                    "status": str(recipient.get("status", "")),
                    "diagnostic-code": str(recipient.get("diagnosticCode", "")),
                }
            )
            said = find_reply(entry.diagnostic)
            verdict = judge(said, status=entry.status, delayed=entry.action == "delayed")
            status = said.status or entry.status
            bounced.append(ReportedRecipient(entry.address, verdict, status, said.reply, said.text))
        return FeedbackReport(FeedbackKind.BOUNCE, tuple(bounced))
    if kind == "Complaint":
        found = tuple(
            ReportedRecipient(
                clean(str(recipient.get("emailAddress", ""))), ReplyClass.HARD, reason="abuse"
            )
            for recipient in _recipients(told, "complaint", "complainedRecipients")
        )
        return FeedbackReport(FeedbackKind.COMPLAINT, found, feedback_type="abuse")
    return FeedbackReport(FeedbackKind.DELIVERED) if kind == "Delivery" else None


def _recipients(told: dict[str, object], part: str, name: str) -> list[dict[str, object]]:
    inner = told.get(part)
    recipients = inner.get(name) if isinstance(inner, dict) else None
    return [r for r in recipients if isinstance(r, dict)] if isinstance(recipients, list) else []
