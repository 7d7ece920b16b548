"""Readers who ask by mail to leave (RFC 2369 section 3.2), with a token of ours or without."""

from __future__ import annotations

import re

from newsletter.audience.model import Token, TokenPurpose
from newsletter.audience.tokens import TokenSigner
from newsletter.feedback.addresses import ADDRESS
from newsletter.feedback.message import Mail
from newsletter.feedback.model import FeedbackKind, FeedbackReport, ReportedRecipient
from newsletter.smtp_replies.classify import ReplyClass

WISH = "opt-out"
"""The type of feedback that a wish is (RFC 5965 section 7.3)."""
LONGEST_TEXT = 4000
LONGEST_LINE = 200

_WISH = re.compile(
    r"\b(?:un ?subscribe|opt(?: me)? out|remove|take(?: me)? off|stop"
    r"|cancel (?:my |the |this |your )*(?:e ?mail )?(?:subscription|newsletter|e ?mails?)"
    r"|abmelden|abbestellen|austragen|d[ée]sabonner|d[ée]sabonnement|d[ée]sinscri(?:re|ption)"
    r"|(?:quiero )?dar(?:me)? de baja|baja|cancelar (?:la |mi )?suscripci[óo]n"
    r"|disiscriviti|cancellami)\b"
)
"""Not "cancel" alone, which may be an appointment."""
_FILLERS = """
re aw sv fw fwd please pls kindly hi hello i want wish would like to can could you me us my
address e mail email emails this these the your all any from of off on mailing list lists
newsletter newsletters mailings subscription thanks thank now immediately
bitte mich danke vom von por favor gracias merci de moi s il vous plaît veuillez per favore grazie
"""
_AROUND = frozenset(_FILLERS.split())
"""What people write around a wish without asking for anything else."""
_SUBJECT_TOKEN = re.compile(r"unsubscribe[\s:=_-]+([A-Za-z0-9_-]{32,39})\s*", re.IGNORECASE)
_TOKEN_TO = re.compile(r"\+([A-Za-z0-9_-]{32,39})@")


def read_unsubscribe_request(mail: Mail) -> FeedbackReport | None:
    """The wish to leave that a letter is; None if it is none.

    The subject, or the first line that its author wrote, says so and nothing else: a sentence
    that only contains the word is for a person to read.
    """
    said = (mail.fields.decoded("Subject"), _first_line(mail))
    return report_unsubscribe_request(mail) if any(map(_is_wish, said)) else None


def report_unsubscribe_request(mail: Mail, token: Token | None = None) -> FeedbackReport:
    """What is to be done for the author of a message."""
    address = author(mail)
    return FeedbackReport(
        kind=FeedbackKind.COMPLAINT,
        recipients=(ReportedRecipient(address, ReplyClass.HARD, reason=WISH),) if address else (),
        token=token,
        feedback_type=WISH,
    )


def author(mail: Mail) -> str:
    """The address that a message says it is from; empty if it names none."""
    found = re.search(ADDRESS, mail.fields.get("From")[:2000])
    return found[0] if found else ""


def request_token(mail: Mail, addressed: str, signer: TokenSigner) -> Token | None:
    """The unsubscribe token that a message was sent to, or that its subject names.

    Args:
        mail: The message.
        addressed: Every address that it came to.
        signer: Reads our tokens.
    """
    titled = _SUBJECT_TOKEN.fullmatch(mail.fields.decoded("Subject").strip())
    written = [*_TOKEN_TO.findall(addressed)[:50], *(titled.groups() if titled else ())]
    read = (signer.verify(text, TokenPurpose.UNSUBSCRIBE) for text in written)
    return next((token for token in read if token), None)


def _is_wish(line: str) -> bool:
    words = re.sub(r"[\W_]+", " ", line[:LONGEST_LINE].lower())
    found = _WISH.search(words)
    return found is not None and _AROUND.issuperset(_WISH.sub(" ", words).split())


def _first_line(mail: Mail) -> str:
    lines = (line.strip() for line in mail.notice[:LONGEST_TEXT].split("\n"))
    return next((line for line in lines if line), "")
