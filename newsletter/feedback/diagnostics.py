"""Find what the other server said in the text of a bounce, and judge it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from newsletter.smtp_replies.classify import ReplyClass, classify

MAX_REASON = 400
_NEARBY = 40
"""Characters after a reply's code in which an unmarked status code belongs to it."""

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
"""Where old bounces begin to quote the message itself."""


class Phase(StrEnum):
    """Which step of the SMTP session was refused (RFC 5321 section 4.1.4)."""

    SENDER = "sender"
    """Connecting, EHLO or MAIL: the recipient had not been named yet."""
    CONTENT = "content"
    """The message itself: the recipient had been accepted."""
    RECIPIENT = "recipient"
    """RCPT: the recipient was refused."""
    ADDRESS = "address"
    """The reporting server says that the address was refused, but not at which step."""
    UNSAID = ""


# Old Gmail bounces write "(state 14)" for RCPT.
_SENT = r"(?:>>>|<<<)"
_ANSWERED = r"[ \t]*(?:[^\s<>]{1,20}[ \t])?(?:<<<|>>>) [45]"
"""How a transcript shows a command and its refusal; some write the arrows the other way around."""
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
"""Mailing list servers say "the group may not exist" to those who may not post, too."""


@dataclass(frozen=True)
class Diagnostic:
    """A refusal as a bounce quotes it."""

    reply: str = ""
    status: str = ""
    text: str = ""
    phase: Phase = Phase.UNSAID


def find_reply(text: str) -> Diagnostic:
    """Take the first SMTP reply out of a text, or else the first enhanced status code.

    Args:
        text: A Diagnostic-Code, or the lines of a bounce about one recipient.
    """
    code = _CODE.search(text)
    if code:
        before = _STATUS_BEFORE.search(text, max(0, code.start() - 60), code.start())
        reply = text[before.start() if before else code.start() :][: MAX_REASON * 4].lstrip()
        end = _END.search(reply)
        lines = _QUOTE.sub("", reply[: end.start()] if end else reply).split("\n")
        for number, line in enumerate(lines[1:], start=1):
            # All lines of one reply but the last have a hyphen after the code (RFC 5321 section
            # 4.2.1), so another code begins the next reply.
            if _LAST_LINE.match(line) and not _MORE_LINES.search(lines[number - 1]):
                lines = lines[:number]
                break
        said = _plain("\n".join(lines))
        # Further on in the line: `(#5.1.1)`, or a little later without a mark.
        later = _MARKED.search(said) or _STATUS.search(said[:_NEARBY])
        status = code[2] or (before and before[1]) or (later[1] if later else "")
        return Diagnostic(code[1], status, said, find_phase(text))
    over = _RETURNED.search(text)
    text = text[: over.start()] if over else text
    found = _STATUS.search(text)
    words = _plain(text[: MAX_REASON * 4])
    return Diagnostic("", found[1] if found else "", words, find_phase(text))


def find_phase(text: str) -> Phase:
    """The step of the SMTP session that was refused, where the bounce says it."""
    return next((phase for phase, words in _PHASES if words.search(text)), Phase.UNSAID)


def judge(said: Diagnostic, *, status: str = "", delayed: bool = False) -> ReplyClass:
    """What a refusal that a bounce reports means for the recipient.

    Args:
        said: What the other server said.
        status: The Status field (RFC 3464 section 2.3.4), or empty.
        delayed: The report says that delivery is still being tried.
    """
    late = delayed or (said.status or status).startswith("4")
    code = int(said.reply) if said.reply and not delayed else (450 if late else 550)
    # The other server's words and code come before the Status field, which the reporting server
    # often made up: sendmail writes 5.1.1 for any refusal of RCPT.
    verdict = classify(code, said.status, said.text)
    if status and verdict is ReplyClass.UNKNOWN:
        verdict = classify(code, status, said.text)
    # Before RCPT, no refusal can be about the recipient.
    if said.phase is Phase.SENDER and verdict in {ReplyClass.HARD, ReplyClass.UNKNOWN}:
        return ReplyClass.BLOCK
    return _confirm_hard(said, status) if verdict is ReplyClass.HARD else verdict


def _confirm_hard(said: Diagnostic, status: str) -> ReplyClass:
    """The class of what reads as a dead address, once weaker explanations are excluded."""
    is_vague = not said.status or said.status.endswith(".0.0")
    code = status if is_vague else said.status
    if code and classify(550, code, "") is ReplyClass.HARD:
        return ReplyClass.HARD
    if status.startswith("4."):
        return ReplyClass.SOFT
    if said.status.startswith("5.7.") and said.phase is not Phase.RECIPIENT:
        return ReplyClass.BLOCK
    unquoted = not (said.reply or said.status) and status in ("", "5.0.0")
    if unquoted and _GROUP.search(said.text):
        return ReplyClass.UNKNOWN
    # Filters of large carriers say "user unknown" to unwanted mail, too. Without an exact code it
    # is believed only when it was said at RCPT, names the account or its domain, or is what the
    # reporting server itself found.
    own_finding = unquoted and said.phase is Phase.UNSAID
    at_recipient = said.phase in {Phase.RECIPIENT, Phase.ADDRESS}
    is_believed = at_recipient or own_finding or _NAMED.search(said.text)
    return ReplyClass.HARD if is_believed else ReplyClass.SOFT


def _plain(text: str) -> str:
    """One line without control characters, since it is shown in terminals."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(shown.split())[:MAX_REASON]
