"""Subscribers who ask by mail to be unsubscribed (RFC 2369 section 3.2)."""

from __future__ import annotations

import re

from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tokens import TokenSigner
from newsletter.feedback.addresses import ADDRESS
from newsletter.feedback.message import Mail
from newsletter.feedback.model import FeedbackKind, FeedbackReport, ReportedRecipient
from newsletter.smtp_replies.classify import ReplyClass

OPT_OUT = "opt-out"
"""The feedback type of an unsubscribe request (RFC 5965 section 7.3)."""
_MAX_TEXT = 4000
_MAX_LINE = 200

# "cancel" alone is not enough: it may be about an appointment.
_REQUEST = re.compile(
    r"\b(?:un ?subscribe|opt(?: me)? out|remove|take(?: me)? off|stop"
    r"|cancel (?:my |the |this |your )*(?:e ?mail )?(?:subscription|newsletter|e ?mails?)"
    r"|abmelden|abbestellen|austragen|d[ée]sabonner|d[ée]sabonnement|d[ée]sinscri(?:re|ption)"
    r"|(?:quiero )?dar(?:me)? de baja|baja|cancelar (?:la |mi )?suscripci[óo]n"
    r"|disiscriviti|cancellami)\b"
)
_FILLERS = """
re aw sv fw fwd please pls kindly hi hello i want wish would like to can could you me us my
address e mail email emails this these the your all any from of off on mailing list lists
newsletter newsletters mailings subscription thanks thank now immediately
bitte mich danke vom von por favor gracias merci de moi s il vous plaît veuillez per favore grazie
"""
_AROUND = frozenset(_FILLERS.split())
"""Words that people write around the request without asking for anything else."""
_SUBJECT_TOKEN = re.compile(r"unsubscribe[\s:=_-]+([A-Za-z0-9_-]{32,39})\s*", re.IGNORECASE)
_TOKEN_TO = re.compile(r"\+([A-Za-z0-9_-]{32,39})@")


def read_unsubscribe_request(mail: Mail) -> FeedbackReport | None:
    """The unsubscribe request that a message is; None if it is not one.

    The subject, or the first line that the author wrote, must say so and nothing else. A sentence
    that only contains the word is for a person to read.
    """
    lines = (line.strip() for line in mail.free_text[:_MAX_TEXT].split("\n"))
    for line in (mail.fields.decoded("Subject"), next((line for line in lines if line), "")):
        words = re.sub(r"[\W_]+", " ", line[:_MAX_LINE].lower())
        if _REQUEST.search(words) and _AROUND.issuperset(_REQUEST.sub(" ", words).split()):
            return report_unsubscribe_request(mail)
    return None


def report_unsubscribe_request(mail: Mail, token: Token | None = None) -> FeedbackReport:
    """An unsubscribe request from the author of a message, or from the token's subscriber."""
    address = author(mail)
    hard = (ReportedRecipient(address, ReplyClass.HARD, reason=OPT_OUT),) if address else ()
    return FeedbackReport(FeedbackKind.COMPLAINT, hard, token=token, feedback_type=OPT_OUT)


def author(mail: Mail) -> str:
    """The address that a message says it is from; empty if it names none."""
    found = re.search(ADDRESS, mail.fields.get("From")[:2000])
    return found[0] if found else ""


def request_token(mail: Mail, addressed: str, signer: TokenSigner) -> Token | None:
    """The unsubscribe token in an address that a message was sent to, or in its subject.

    Args:
        mail: The message.
        addressed: Every address that it was sent to.
        signer: Reads our tokens.
    """
    titled = _SUBJECT_TOKEN.fullmatch(mail.fields.decoded("Subject").strip())
    written = [*_TOKEN_TO.findall(addressed)[:50], *(titled.groups() if titled else ())]
    tokens = (signer.verify(text, TokenPurpose.UNSUBSCRIBE) for text in written)
    return next((token for token in tokens if token), None)
