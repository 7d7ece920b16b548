"""Understand one message that came back: read this file first.

The order is that of trust: our own signed token, a feedback report, a report in the standard's
form, then what the text says to people, then flufl.bounce.
"""

from __future__ import annotations

import re
from dataclasses import replace

from newsletter.audience.model import TokenPurpose
from newsletter.audience.tokens import TokenSigner
from newsletter.feedback import arf, auto_reply, flufl, free_text
from newsletter.feedback.delivery_status import StatusEntry, read_status
from newsletter.feedback.diagnostics import Diagnostic, find_phase, find_reply, judge
from newsletter.feedback.message import STATUS, Mail, read, read_text
from newsletter.feedback.model import FeedbackKind, FeedbackReport, ReportedRecipient
from newsletter.feedback.ses import read_ses_notification
from newsletter.feedback.unsubscribe_request import (
    OPT_OUT,
    read_unsubscribe_request,
    report_unsubscribe_request,
    request_token,
)
from newsletter.smtp_replies.classify import ReplyClass

MAX_RECIPIENTS = 200

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
    """Say what a message is, which recipients it is about and what it says of each.

    Never raises, whatever the bytes; reads at most the first 512 KB.

    Args:
        raw: The message as it came.
        signer: Reads our tokens; without it, no report has a token.
    """
    outer = mail = read(raw)
    # People and machines forward bounces: the message inside is the one to understand.
    if free_text.from_mailer(outer.returned) and not outer.texts(*STATUS):
        mail = read_text(outer.returned_text)
    report = (
        read_ses_notification(mail)
        or arf.read_feedback(mail)
        or _from_status(mail)
        or _from_free_text(mail, raw)
        or (None if auto_reply.is_certain(mail) else read_unsubscribe_request(mail))
        or FeedbackReport(
            FeedbackKind.AUTO_REPLY if auto_reply.is_auto_reply(mail) else FeedbackKind.OTHER
        )
    )
    # Bounded, because a message may have thousands of such fields.
    addressed = " ".join(value for name in _ENVELOPE for value in outer.fields.all(name))[:20_000]
    is_letter = report.kind is FeedbackKind.OTHER or report.feedback_type == OPT_OUT
    if signer and is_letter and (token := request_token(outer, addressed, signer)):
        return report_unsubscribe_request(outer, token)
    recipients: dict[str, ReportedRecipient] = {}
    for recipient in report.recipients:
        known = recipients.setdefault(recipient.address.lower(), recipient)
        # A dead address outweighs whatever else the report says about it.
        if recipient.verdict is ReplyClass.HARD and known.verdict is not ReplyClass.HARD:
            recipients[recipient.address.lower()] = recipient
    token = None
    if signer:
        written = re.findall(r"\+([A-Za-z0-9_-]{32,39})@", addressed)[:50]
        verified = (signer.verify(text, TokenPurpose.BOUNCE) for text in written)
        token = next((found for found in verified if found), None)
    return replace(
        report,
        recipients=tuple(recipients.values())[:MAX_RECIPIENTS],
        token=token,
        message_id=_original_message_id(mail),
    )


def _from_status(mail: Mail) -> FeedbackReport | None:
    """What the fields of a delivery status notification say."""
    entries = read_status(mail, anywhere=free_text.looks_like_bounce(mail))
    if not entries:
        return None
    failures = [entry for entry in entries[:MAX_RECIPIENTS] if not entry.succeeded]
    if not failures:
        return FeedbackReport(
            FeedbackKind.DELIVERED,
            tuple(_recipient(e, Diagnostic(), ReplyClass.UNKNOWN) for e in entries),
        )
    text = mail.free_text[: free_text.MAX_FREE_TEXT]
    if not any(entry.address for entry in failures):
        named = free_text.find_recipients(mail, text) or free_text.original_recipient(mail)
        failures = [replace(failures[0], address=address) for address in named] or failures
    recipients: list[ReportedRecipient] = []
    for entry in failures:
        said = find_reply(entry.diagnostic)
        told = Diagnostic()
        if entry.address:
            told = free_text.said_about(entry.address, text, alone=len(failures) == 1)
        # Some servers keep the reply out of the fields and quote it in the text only.
        if not (said.reply or said.status) and (told.reply or told.status or not said.text):
            said = told
        said = replace(said, phase=find_phase(entry.diagnostic) or told.phase)
        verdict = judge(said, status=entry.meaning, delayed=entry.action == "delayed")
        recipients.append(_recipient(entry, said, verdict))
    return FeedbackReport(FeedbackKind.BOUNCE, tuple(recipients))


def _recipient(entry: StatusEntry, said: Diagnostic, verdict: ReplyClass) -> ReportedRecipient:
    status = said.status or entry.status
    return ReportedRecipient(entry.address, verdict, status, said.reply, said.text)


def _from_free_text(mail: Mail, raw: bytes) -> FeedbackReport | None:
    """What a bounce says to people, where no fields say it to programs."""
    if auto_reply.is_certain(mail) or not free_text.looks_like_bounce(mail):
        return None
    late = bool(_SAYS_LATE.search(mail.fields.decoded("Subject") + "\n" + mail.free_text[:2000]))
    text = mail.free_text[: free_text.MAX_FREE_TEXT]
    found = free_text.find_recipients(mail, text)
    if not found and judge(find_reply(text)) is not ReplyClass.UNKNOWN:
        found = free_text.original_recipient(mail)
    if not found:
        nested = mail.all_text[: free_text.MAX_FREE_TEXT]
        found = free_text.find_recipients(mail, nested, strict=True)
        text = nested if found else text
    if not found:
        delayed, failed = flufl.scan(raw)
        found, late = failed or delayed, not failed
    if not found:
        return None
    alone = len(found) == 1
    told = [(a, free_text.said_about(a, text, alone=alone)) for a in found[:MAX_RECIPIENTS]]
    # Where the text says nothing about any one of several, its one refusal is about all of them.
    if not alone and all(judge(said) is ReplyClass.UNKNOWN for _, said in told):
        told = [(address, find_reply(text)) for address, _ in told]
    return FeedbackReport(
        FeedbackKind.BOUNCE,
        tuple(
            ReportedRecipient(
                address, judge(said, delayed=late), said.status, said.reply, said.text
            )
            for address, said in told
        ),
    )


def _original_message_id(mail: Mail) -> str:
    """The Message-ID of the message that a report is about."""
    reported = _ORIGINAL_ID.search("\n".join(mail.texts(*STATUS)))
    places = (
        mail.returned.get("Message-ID"),
        reported[1] if reported else "",
        mail.fields.get("In-Reply-To"),
        mail.fields.get("References"),
    )
    found = (_MESSAGE_ID.search(place) for place in places)
    return next((match[0] for match in found if match), "")
