"""Automatic replies: vacation notes, tickets, receipts (RFC 3834, and older conventions)."""

from __future__ import annotations

import re

from newsletter.feedback.message import Mail

_MARKS = ("X-Autoreply", "X-Autorespond", "X-Autoreply-From", "X-Auto-Reply", "X-Vacation")
_SUBJECT = re.compile(
    r"\s*(?:re:\s*)?(?:\[?auto(?:matic)?[ -]?(?:reply|response|answer)|auto\s?:|autoreply"
    r"|out of (?:the )?office|away from|on vacation|vacation\b|holiday reply|i am away"
    r"|abwesenheit|automatische antwort|r\S{1,2}ponse automatique|absence|respuesta autom"
    r"|risposta automatica|resposta autom)",
    re.IGNORECASE,
)


def is_auto_reply(mail: Mail) -> bool:
    """Whether an autoresponder wrote this, or it is a read receipt (RFC 8098).

    Only for mail that is not a bounce: bounces say `Auto-Submitted: auto-replied`, too.
    """
    fields = mail.fields
    submitted = fields.get("Auto-Submitted").partition(";")[0].split("(")[0].strip().lower()
    report = fields.get("Content-Type").lower()
    return (
        submitted == "auto-replied"
        or fields.get("Precedence").strip().lower() in {"auto_reply", "auto-reply"}
        or any(fields.get(mark) for mark in _MARKS)
        or "disposition-notification" in report
        or bool(_SUBJECT.match(fields.decoded("Subject")))
    )


def is_certain(mail: Mail) -> bool:
    """Whether the subject or a field says so that bounces never have."""
    fields = mail.fields
    return bool(_SUBJECT.match(fields.decoded("Subject"))) or any(fields.get(m) for m in _MARKS)
