"""Understand one message that came back: read this file first.

The order is that of trust: our own signed token, a feedback report, a report in the standard's
form, then what the notice says to people, then flufl.bounce.
"""

from __future__ import annotations

import re
from dataclasses import replace

from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tokens import TokenSigner
from newsletter.feedback import arf, auto_reply, flufl, free_text
from newsletter.feedback.delivery_status import StatusEntry, read_status
from newsletter.feedback.diagnostics import Diagnostic, find_phase, find_reply, judge
from newsletter.feedback.message import STATUS, Mail, read, read_text
from newsletter.feedback.model import FeedbackKind, FeedbackReport, ReportedRecipient
from newsletter.feedback.ses import read_ses_notification
from newsletter.feedback.unsubscribe_request import (
    WISH,
    read_unsubscribe_request,
    report_unsubscribe_request,
    request_token,
)
from newsletter.smtp_replies.classify import ReplyClass

MOST_RECIPIENTS = 200

_ENVELOPE = (
    "Delivered-To",
    "X-Original-To",
    "Envelope-To",
    "X-Envelope-To",
    "X-Delivered-To",
    "To",
)
_ORIGINAL_ID = re.compile(r"(?im)^(?:X-)?Original-Message-ID:(.{1,300})")
_MESSAGE_ID = re.compile(r"<[^<>\s]{3,250}>")
_SAYS_LATE = re.compile(
    r"warning message only|has been delayed|is delayed|will (?:be retried|keep trying)|\bdelay\b"
    r"|delivery status notification: (?:warning|delayed)|could not send message for past",
    re.IGNORECASE,
)


def classify(raw: bytes, signer: TokenSigner | None = None) -> FeedbackReport:
    """Say what a message is, whom it is about and what follows.

    Never raises, whatever the bytes; reads at most the first 512 KB.

    Args:
        raw: The message as it came.
        signer: Reads our tokens; without it no report carries proof.
    """
    outer = read(raw)
    addressed = _addressed(outer)
    mail = _innermost(outer)
    report = (
        read_ses_notification(mail)
        or arf.read_feedback(mail)
        or _from_status(mail)
        or _from_notice(mail, raw)
        or _letter(mail)
    )
    is_letter = report.kind is FeedbackKind.OTHER or report.feedback_type == WISH
    if signer and is_letter and (token := request_token(outer, addressed, signer)):
        return report_unsubscribe_request(outer, token)
    return replace(
        report,
        recipients=_distinct(report.recipients)[:MOST_RECIPIENTS],
        token=_token(addressed, signer),
        message_id=_message_id(mail),
    )


def _distinct(recipients: tuple[ReportedRecipient, ...]) -> tuple[ReportedRecipient, ...]:
    """Each address once; that it is dead outweighs what else was said of it."""
    kept: dict[str, ReportedRecipient] = {}
    for found in recipients:
        known = kept.setdefault(found.address.lower(), found)
        if found.verdict is ReplyClass.HARD and known.verdict is not ReplyClass.HARD:
            kept[found.address.lower()] = found
    return tuple(kept.values())


def _innermost(mail: Mail) -> Mail:
    """The notice itself, where a person or a machine only passes one on."""
    passed_on = free_text.from_mailer(mail.returned) and not mail.texts(*STATUS)
    return read_text(mail.returned_text) if passed_on else mail


def _from_status(mail: Mail) -> FeedbackReport | None:
    entries = read_status(mail, anywhere=free_text.looks_like_notice(mail))
    if not entries:
        return None
    failures = [entry for entry in entries[:MOST_RECIPIENTS] if not entry.succeeded]
    if not failures:
        return FeedbackReport(
            FeedbackKind.DELIVERED,
            tuple(_recipient(e, Diagnostic(), ReplyClass.UNKNOWN) for e in entries),
        )
    text = mail.notice[: free_text.LONGEST_NOTICE]
    nameless = not any(entry.address for entry in failures)
    if nameless:
        named = free_text.find_recipients(mail, text) or free_text.addressed(mail)
        failures = [replace(failures[0], address=address) for address in named] or failures
    return FeedbackReport(
        FeedbackKind.BOUNCE, tuple(_judged(e, text, alone=len(failures) == 1) for e in failures)
    )


def _judged(entry: StatusEntry, text: str, *, alone: bool) -> ReportedRecipient:
    said = find_reply(entry.diagnostic)
    told = free_text.said_about(entry.address, text, alone=alone) if entry.address else Diagnostic()
    if not (said.reply or said.status) and (told.reply or told.status or not said.text):
        said = told
    said = replace(said, phase=find_phase(entry.diagnostic) or told.phase)
    verdict = judge(said, status=entry.meaning, delayed=entry.action == "delayed")
    return _recipient(entry, said, verdict)


def _recipient(entry: StatusEntry, said: Diagnostic, verdict: ReplyClass) -> ReportedRecipient:
    status = said.status or entry.status
    return ReportedRecipient(entry.address, verdict, status, said.reply, said.text)


def _from_notice(mail: Mail, raw: bytes) -> FeedbackReport | None:
    if auto_reply.is_certain(mail) or not free_text.looks_like_notice(mail):
        return None
    late = bool(_SAYS_LATE.search(mail.fields.decoded("Subject") + "\n" + mail.notice[:2000]))
    text = mail.notice[: free_text.LONGEST_NOTICE]
    found = free_text.find_recipients(mail, text)
    if not found and judge(find_reply(text)) is not ReplyClass.UNKNOWN:
        found = free_text.addressed(mail)
    if found:
        return _bounce(found, text, late=late)
    nested = mail.everything[: free_text.LONGEST_NOTICE]
    if found := free_text.find_recipients(mail, nested, strict=True):
        return _bounce(found, nested, late=late)
    late_ones, failed = flufl.scan(raw)
    if late_ones or failed:
        return _bounce(failed or late_ones, text, late=not failed)
    return None


def _bounce(addresses: list[str], text: str, *, late: bool) -> FeedbackReport:
    alone = len(addresses) == 1
    told = [(a, free_text.said_about(a, text, alone=alone)) for a in addresses[:MOST_RECIPIENTS]]
    if not alone and all(judge(said) is ReplyClass.UNKNOWN for _, said in told):
        told = [(address, find_reply(text)) for address, _ in told]
    return FeedbackReport(
        FeedbackKind.BOUNCE, tuple(_named(address, said, late=late) for address, said in told)
    )


def _named(address: str, said: Diagnostic, *, late: bool) -> ReportedRecipient:
    verdict = judge(said, delayed=late)
    return ReportedRecipient(address, verdict, said.status, said.reply, said.text)


def _letter(mail: Mail) -> FeedbackReport:
    if not auto_reply.is_certain(mail) and (wish := read_unsubscribe_request(mail)):
        return wish
    return FeedbackReport(
        FeedbackKind.AUTO_REPLY if auto_reply.is_auto_reply(mail) else FeedbackKind.OTHER
    )


def _addressed(mail: Mail) -> str:
    return " ".join(value for name in _ENVELOPE for value in mail.fields.all(name))[:20_000]


def _token(addressed: str, signer: TokenSigner | None) -> Token | None:
    if signer is None:
        return None
    for text in re.findall(r"\+([A-Za-z0-9_-]{32,39})@", addressed)[:50]:
        if token := signer.verify(text, TokenPurpose.BOUNCE):
            return token
    return None


def _message_id(mail: Mail) -> str:
    """Of the message it is about: from that message, else from what the report says of it."""
    reported = _ORIGINAL_ID.search("\n".join(mail.texts(*STATUS)))
    places = (
        mail.returned.get("Message-ID"),
        reported[1] if reported else "",
        mail.fields.get("In-Reply-To"),
        mail.fields.get("References"),
    )
    found = (_MESSAGE_ID.search(place) for place in places)
    return next((match[0] for match in found if match), "")
