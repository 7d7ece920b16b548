"""Find what the other server said in the words of a notice, and judge it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from newsletter.smtp_replies.classify import ReplyClass, classify

LONGEST_REASON = 400
NEAR = 40

_CODE = re.compile(
    r"(?<![\w.\-/@=])([45]\d\d)(?![\d.\w])[ \t\-:;,]{0,3}\s?"
    r"(?:\1[ \t\-]\s?)?\(?#?([245]\.\d{1,3}\.\d{1,3})?(?![\d.])"
)
_STATUS = re.compile(r"(?<![\d.\w])#?([45]\.\d{1,3}\.\d{1,3})(?![\d.]\d)")
_STATUS_BEFORE = re.compile(r"(?<![\d.\w])([45]\.\d{1,3}\.\d{1,3}) - [a-z ]{1,45}[ '\"]?\Z", re.I)
_MARKED = re.compile(r"\(?#([45]\.\d{1,3}\.\d{1,3})")
_QUOTE = re.compile(r"(?m)^[ \t]*<<<[ \t]?")
_LAST_LINE = re.compile(r"[245]\d\d ")
_MORE_LINES = re.compile(r"(?<![\w.])[245]\d\d-")
_END = re.compile(
    r"\n[ \t]*\n|\n(?:Final-Recipient|Reporting-MTA):|\n[ \t]*>>>|\n[ \t]*\.\.\. while"
    r"|\nGiving up|\n---"
)

_RETURNED = re.compile(
    r"(?im)^(?:[^\w\n]|_){0,30}(?:(?:the |your )?(?:original|returned|unsent|undelivered) message"
    r"|message headers?|below (?:this line )?is a copy|(?:here|this) is a copy"
    r"|start of (?:the )?mess|-{4,80}.{0,20}(?:message|header))"
)
"""Where notices of old begin to quote the message itself."""


class Phase(StrEnum):
    """How far the conversation had come (RFC 5321 section 4.1.4)."""

    SENDER = "sender"
    """Connecting, EHLO or MAIL: the other side had not heard of the recipient."""
    CONTENT = "content"
    """After the message's bytes: the recipient had been accepted."""
    RECIPIENT = "recipient"
    """At RCPT: it is the recipient that was refused."""
    ADDRESS = "address"
    """The reporting server says that the address was refused, not when."""
    UNSAID = ""


# Gmail of old writes "(state 14)" for RCPT.
_SENT = r"(?:>>>|<<<)"
_ANSWERED = r"[ \t]*(?:[^\s<>]{1,20}[ \t])?(?:<<<|>>>) [45]"
"""How a transcript shows a command and its refusal; some draw the arrows the other way round."""
_PHASES = (
    (
        Phase.SENDER,
        re.compile(
            r"refused to talk to me|in reply to (?:mail from|ehlo|helo|initial)"
            r"|after (?:mail from|ehlo|helo|initial connection)|greeting failed"
            r"|(?:sender|my name) was rejected|(?:for|to) (?:the )?mail from command"
            rf"|{_SENT} mail from.*\n{_ANSWERED}|\(state (?:6|8|9|1[23])\)",
            re.IGNORECASE,
        ),
    ),
    (
        Phase.CONTENT,
        re.compile(
            r"in reply to end of data|after (?:pipelined )?(?:end of )?data"
            rf"|{_SENT} data\s*\n{_ANSWERED}|\(state 1[578]\)"
            r"|failed after i sent the message"
            r"|(?:for|to) (?:the )?(?:text|end of data) command",
            re.IGNORECASE,
        ),
    ),
    (
        Phase.RECIPIENT,
        re.compile(
            r"(?<![a-z])rcpt(?![a-z])|\(state 14\)|does not like recipient"
            r"|recipient address rejected:|^550 5\.1\.1 .*\.\.\. user unknown",
            re.IGNORECASE | re.MULTILINE,
        ),
    ),
    (Phase.ADDRESS, re.compile(r"(?:server|has) rejected address", re.IGNORECASE)),
)
_NAMED = re.compile(
    r"(?<![.@-])\b(?:account|domain|dom[ií]nio|domaine|mx)\b(?![.@-])|has moved|replaced by"
    r"|unknown host|host unknown|host \S+ not found|find any host"
    r"|mail exchanger|service not known|smtp service|unroute?able|non-?existent"
    r"|invalid recipient|550 requested action not taken: mailbox unavailable"
    r"|action aborted, mailbox not found",
    re.IGNORECASE,
)


_GROUP = re.compile(
    r"\b(?:group|gruppe|groupe|grupo|gruppo|groep|grup[aąęy]|skupin[auy])\b"
    r"|\bгрупп|グループ|群组|群組|그룹|קבוצה",
    re.IGNORECASE,
)
"""A group that may not exist, or may not take our mail: lists' servers do not say which."""


@dataclass(frozen=True)
class Diagnostic:
    """A refusal as quoted in a notice."""

    reply: str = ""
    status: str = ""
    text: str = ""
    phase: Phase = Phase.UNSAID


def find_reply(text: str) -> Diagnostic:
    """Take the first SMTP reply out of a text, or else the first enhanced status code.

    Args:
        text: A Diagnostic-Code, or the lines of a notice about one recipient.
    """
    code = _CODE.search(text)
    if code:
        before = _STATUS_BEFORE.search(text, max(0, code.start() - 60), code.start())
        start = before.start() if before else code.start()
        said = _line(text[start:])
        status = code[2] or (before and before[1]) or _first_status(said)
        return Diagnostic(code[1], status, said, find_phase(text))
    over = _RETURNED.search(text)
    text = text[: over.start()] if over else text
    status = _STATUS.search(text)
    words = _plain(text[: LONGEST_REASON * 4])
    return Diagnostic("", status[1] if status else "", words, find_phase(text))


def find_phase(text: str) -> Phase:
    """Say when in the conversation the refusal came, where the notice tells."""
    return next((phase for phase, words in _PHASES if words.search(text)), Phase.UNSAID)


def judge(said: Diagnostic, *, status: str = "", delayed: bool = False) -> ReplyClass:
    """Say what follows from a refusal that a notice reports.

    The other server's own words and code come before the status field, which the reporting server
    often made up (sendmail writes 5.1.1 for any refusal of RCPT). A refusal before RCPT cannot be
    about the recipient. "User unknown" is believed with an exact code, when it was said at RCPT, or
    when the reporting server says it of its own; carriers' filters say it to unwanted mail as well.

    Args:
        said: What the other server said.
        status: The Status field of RFC 3464, or empty.
        delayed: The report says that it is still being tried.
    """
    late = delayed or (said.status or status).startswith("4")
    code = int(said.reply) if said.reply and not delayed else (450 if late else 550)
    verdict = classify(code, said.status, said.text)
    if status and verdict is ReplyClass.UNKNOWN:
        verdict = classify(code, status, said.text)
    if verdict not in {ReplyClass.HARD, ReplyClass.UNKNOWN}:
        return verdict
    if said.phase is Phase.SENDER:
        return ReplyClass.BLOCK
    return _believed(said, status) if verdict is ReplyClass.HARD else verdict


def _believed(said: Diagnostic, status: str) -> ReplyClass:
    vague = not said.status or said.status.endswith(".0.0")
    if _exact(status if vague else said.status):
        return ReplyClass.HARD
    if status.startswith("4."):
        return ReplyClass.SOFT
    if said.status.startswith("5.7.") and said.phase is not Phase.RECIPIENT:
        return ReplyClass.BLOCK
    unquoted = not (said.reply or said.status) and status in ("", "5.0.0")
    if unquoted and _GROUP.search(said.text):
        return ReplyClass.UNKNOWN
    own_finding = unquoted and said.phase is Phase.UNSAID
    witness = (
        said.phase in {Phase.RECIPIENT, Phase.ADDRESS} or own_finding or _NAMED.search(said.text)
    )
    return ReplyClass.HARD if witness else ReplyClass.SOFT


def _exact(status: str) -> bool:
    """Whether the code alone means dead, so that no words were needed."""
    return bool(status) and classify(550, status, "") is ReplyClass.HARD


def _whole_reply(text: str) -> str:
    """Up to the next reply; lines of one reply but the last have a hyphen (RFC 5321 4.2.1)."""
    lines = text.split("\n")
    for number, line in enumerate(lines[1:], start=1):
        if _LAST_LINE.match(line) and not _MORE_LINES.search(lines[number - 1]):
            return "\n".join(lines[:number])
    return text


def _first_status(said: str) -> str:
    """A code further on in the line: `(#5.1.1)`, or a little later without a mark."""
    found = _MARKED.search(said) or _STATUS.search(said[:NEAR])
    return found[1] if found else ""


def _line(text: str) -> str:
    text = text[: LONGEST_REASON * 4].lstrip()
    end = _END.search(text)
    text = _whole_reply(_QUOTE.sub("", text[: end.start()] if end else text))
    return _plain(text)


def _plain(text: str) -> str:
    """One line without control characters: it is shown in terminals and written to the record."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(shown.split())[:LONGEST_REASON]
