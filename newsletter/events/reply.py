"""Find what the other server said in the words of a notice, and judge it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from newsletter.deliver.replies import ReplyClass, classify

LONGEST_REASON = 400

_CODE = re.compile(
    r"(?<![\w.\-/@=])([45]\d\d)(?![\d.\w])[ \t\-:;,]{0,3}\s?"
    r"(?:\1[ \t\-]\s?)?\(?#?([245]\.\d{1,3}\.\d{1,3})?(?![\d.])"
)
_STATUS = re.compile(r"(?<![\d.\w])#?([45]\.\d{1,3}\.\d{1,3})(?![\d.]\d)")
_STATUS_BEFORE = re.compile(r"(?<![\d.\w])([45]\.\d{1,3}\.\d{1,3}) - [a-z ]{1,45}[ '\"]?\Z", re.I)
_MARKED = re.compile(r"\(?#([45]\.\d{1,3}\.\d{1,3})")
_QUOTE = re.compile(r"(?m)^[ \t]*<<<[ \t]?")
_END = re.compile(r"\n[ \t]*\n|\n[ \t]*>>>|\n[ \t]*\.\.\. while|\nGiving up|\n---")


class Phase(StrEnum):
    """How far the conversation had come (RFC 5321 section 4.1.4)."""

    SENDER = "sender"
    """Connecting, EHLO or MAIL: the other side had not heard of the recipient."""
    CONTENT = "content"
    """After the message's bytes: the recipient had been accepted."""
    UNSAID = ""


_PHASES = (
    (
        Phase.SENDER,
        re.compile(
            r"refused to talk to me|in reply to (?:mail from|ehlo|helo|initial)"
            r"|after (?:mail from|ehlo|helo|initial connection)|sender was rejected"
            r"|(?:for|to) (?:the )?mail from command|>>> mail from.*\n<<< [45]",
            re.IGNORECASE,
        ),
    ),
    (
        Phase.CONTENT,
        re.compile(
            r"in reply to end of data|after end of data|failed after i sent the message"
            r"|(?:for|to) (?:the )?(?:text|end of data) command",
            re.IGNORECASE,
        ),
    ),
)
_EVIDENCE = re.compile(
    r"\bdomain|\bhost\b|\bmx\b|\bdns\b|mail exchanger|name or service|nxdomain|\([0-9a-f]{8}\)",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(r"\baccount\b|\bdomain\b", re.IGNORECASE)


@dataclass(frozen=True)
class Said:
    """A refusal as quoted in a notice."""

    reply: str = ""
    status: str = ""
    text: str = ""
    phase: Phase = Phase.UNSAID


def find_reply(text: str) -> Said:
    """Take the first SMTP reply out of a text, or else the first enhanced status code.

    Args:
        text: A Diagnostic-Code, or the lines of a notice about one recipient.
    """
    code = _CODE.search(text)
    if code:
        said = _line(text[code.start() :])
        before = _STATUS_BEFORE.search(text, max(0, code.start() - 60), code.start())
        start = before.start() if before else code.start()
        said = _line(text[start:])
        status = code[2] or (before and before[1]) or _first_status(said)
        return Said(code[1], status, said, find_phase(text))
    status = _STATUS.search(text)
    words = " ".join(text[: LONGEST_REASON * 4].split())[:LONGEST_REASON]
    return Said("", status[1] if status else "", words, find_phase(text))


def find_phase(text: str) -> Phase:
    """Say when in the conversation the refusal came, where the notice tells."""
    return next((phase for phase, words in _PHASES if words.search(text)), Phase.UNSAID)


def judge(said: Said, *, status: str = "", delayed: bool = False) -> ReplyClass:
    """Say what follows from a refusal that a notice reports.

    The other server's own words and code come before the status field, which the reporting server
    often made up (sendmail writes 5.1.1 for any refusal of RCPT). A refusal before RCPT cannot be
    about the recipient. One after the message's bytes is a filter's, unless it names the account:
    carriers say "user unknown" to unwanted mail.

    Args:
        said: What the other server said.
        status: The Status field of RFC 3464, or empty.
        delayed: The report says that it is still being tried.
    """
    late = delayed or (said.status or status).startswith("4")
    code = int(said.reply) if said.reply else (450 if late else 550)
    if delayed:
        code = 450
    verdict = classify(code, said.status, said.text)
    by_field = bool(status) and verdict is ReplyClass.UNKNOWN
    if by_field:
        verdict = classify(code, status, said.text)
    if verdict is not ReplyClass.HARD:
        return _before_recipient(said, verdict)
    return _doubt(said, status)


def _before_recipient(said: Said, verdict: ReplyClass) -> ReplyClass:
    early = said.phase is Phase.SENDER and verdict is ReplyClass.UNKNOWN
    return ReplyClass.POLICY if early else verdict


def _doubt(said: Said, status: str) -> ReplyClass:
    if said.phase is Phase.SENDER:
        return ReplyClass.POLICY
    exact = said.status.startswith("5.1.")
    if not exact and status.startswith("4."):
        return ReplyClass.TEMPORARY
    about_mailbox = (said.status or status).startswith("5.2.")
    filtered = said.phase is Phase.CONTENT and not exact and not _ACCOUNT.search(said.text)
    rumour = not (said.reply or said.status or status or _EVIDENCE.search(said.text))
    return ReplyClass.TEMPORARY if about_mailbox or filtered or rumour else ReplyClass.HARD


def _first_status(said: str) -> str:
    """A code further on in the line, as qmail writes it: `(#5.1.1)`."""
    found = _MARKED.search(said)
    return found[1] if found else ""


def _line(text: str) -> str:
    text = text[: LONGEST_REASON * 4].lstrip()
    end = _END.search(text)
    text = _QUOTE.sub("", text[: end.start()] if end else text)
    return " ".join(text.split())[:LONGEST_REASON]
