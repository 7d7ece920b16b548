"""Notices written for people: who is meant, and what was said about them.

Servers older than RFC 3464, or that ignore it, share a few habits of layout. Each rule below is
one habit; the first that finds anyone decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from newsletter.feedback.addresses import ADDRESS, clean, is_machine
from newsletter.feedback.diagnostics import Diagnostic, find_phase, find_reply, judge
from newsletter.feedback.message import Fields, Mail
from newsletter.smtp_replies.classify import ReplyClass

LONGEST_NOTICE = 32 * 1024
"""Characters of a notice that are looked at."""
NEAR = 200
"""So far before an address, on its line, words may say that it is not the one meant."""

_MAILER = re.compile(r"mailer-?daemon", re.IGNORECASE)
_DAEMON = re.compile(
    r"mailer-?daemon|post-?master|mail[ ._]?deliver|delivery (?:sub)?system|mail ?system"
    r"|mail administrator|bounces?@|\bmdaemon|\bmail ?router",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"undeliver|mail delivery|returned mail|returned to sender|failure notice|non-?delivery"
    r"|delivery (?:status|fail|error|problem|report|notif|has failed|delay)"
    r"|(?:mail|message|delivery)\b.{0,20}\bfail"
    r"|could not (?:be )?(?:send|sent|deliver)|error sending|mail (?:system )?error|not delivered"
    r"|message (?:status|delay)|warning: |bounced? (?:mail|message)|user unknown|unzustellbar"
    r"|nicht zugestellt|zustellung.{0,30}fehl|non (?:remis|d[ée]livr)|[ée]chec de (?:la )?remise"
    r"|no (?:se )?(?:ha sido |pudo |puede )?entrega|devuelto|n[ãa]o (?:foi )?entreg"
    r"|manca(?:to recapito|ta consegna)|onbestelbaar|niet bezorgd|配信(?:不能|エラー)|退信"
    r"|недоставлен|не доставлен|rejected",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"\s*(?:re|aw|sv|antw|tr)\s*:", re.IGNORECASE)
_FAILED = re.compile(
    r"(?:could|can|did|was|were)(?: ?not|n['\u2019]t) (?:be )?deliver"
    r"|unable to deliver|undeliverable|delivery (?:has )?failed|failed recipient"
    r"|returned to sender",
    re.IGNORECASE,
)
_RULES = tuple(
    re.compile(
        rule.replace("ADDR", f"[<'\"\\[]?({ADDRESS})[>'\"\\]]?"), re.IGNORECASE | re.MULTILINE
    )
    for rule in (
        r"^[ \t]*(?:[*-][ \t]+)?ADDR[ \t]*(?:<mailto:[^>\s]{1,200}>)?[ \t]*"
        r"(?:$|:|\.\.\.|\(|\[| on | - )",
        r"^[ \t]*[45]\d\d[ \t-](?:[45]\.\d{1,3}\.\d{1,3}[ \t])?[ \t]*ADDR(?:\.\.\.|:)",
        r"^[ \t]*>>> RCPT TO:[ \t]*ADDR",
        r"\b(?:recipient(?:\(s\)|s)?|recipient address|address|errors?|to)[ \t]*:[ \t]*ADDR"
        r"|addressed to:?[ \t]+ADDR",
        r"\b(?:delivering|delivered|deliver|delivery|undeliverable|mail|message|sent|send)\b"
        r"[^\n@]{0,60}\b(?:to|for)\b[^\n@]{0,20}[ \t\n]ADDR",
        r"^[^\n@:]{0,80}[:(][ \t]*ADDR[ \t)]*$",
        r"^[ \t]*ADDR[ \t]",
        r"[45]\d\d[^\n@]{0,100}\bADDR",
    )
)
_CERTAIN = 3
"""So many of the rules need no other sign that the text is a notice."""
_EXPANDED = re.compile(rf"[>\])\s]{{0,20}}\(?expanded from:?\s{{0,20}}<?({ADDRESS})", re.IGNORECASE)
_ASK = re.compile(r"contact|assistance|send mail to|questions|message from|sender|from:?\s*$", re.I)


def looks_like_notice(mail: Mail) -> bool:
    """Whether a mail system wrote this to say that something was not delivered.

    Nobody but a mail system is called mailer-daemon. Otherwise two signs are needed of: a name, a
    subject, words, a report's form. A null return path (RFC 5321
    section 4.5.5) proves nothing: responders use it too. People who answer quote notices.
    """
    fields = mail.fields
    if fields.get("X-Failed-Recipients") or from_mailer(fields):
        return True
    subject = fields.decoded("Subject")
    daemon = _from_daemon(fields)
    if _ANSWER.match(subject) and not daemon:
        return False
    titled = bool(_SUBJECT.search(subject))
    text = mail.notice[:LONGEST_NOTICE]
    said = bool(_FAILED.search(text)) or judge(find_reply(text)) is not ReplyClass.UNKNOWN
    formal = "delivery-status" in fields.get("Content-Type").lower()
    return daemon + titled + said + formal + bool(mail.returned.pairs and said) > 1


def from_mailer(fields: Fields) -> bool:
    """Whether the author bears the name that only mail systems have."""
    return bool(_MAILER.search(fields.decoded("From")))


def _from_daemon(fields: Fields) -> bool:
    sender = fields.decoded("From").strip()
    return sender == "<>" or bool(_DAEMON.search(sender))


def find_recipients(mail: Mail, text: str, *, strict: bool = False) -> list[str]:
    """The addresses that a notice is about, as we mailed them; empty if it names none.

    Args:
        mail: The message.
        text: What of it is notice.
        strict: The text holds more than the notice: only the surest layouts count.
    """
    named = _distinct(map(clean, mail.fields.get("X-Failed-Recipients").split(",")))
    if named:
        return named
    rules = _RULES[:_CERTAIN] if strict else _RULES
    candidates = [_distinct(_matches(rule, text)) for rule in rules]
    people = ([a for a in found if not is_machine(a)] for found in candidates)
    return next((found for found in (*people, *candidates) if found), [])


def addressed(mail: Mail) -> list[str]:
    """To whom the returned message was addressed, if that is one person."""
    found = re.findall(ADDRESS, mail.returned.get("To")[:2000])
    return found if len(found) == 1 else []


def said_about(address: str, text: str, *, alone: bool) -> Diagnostic:
    """What a notice says about one recipient.

    Args:
        address: The recipient.
        text: The notice.
        alone: The notice is about nobody else, so that any refusal in it is about them.
    """
    said = find_reply(_paragraph(address, text))
    if alone and (said.reply or said.status):
        return replace(said, phase=find_phase(text) or said.phase)
    if not alone:
        return said
    start = max(0, text.lower().find(address.lower()))
    paragraph = text.rfind("\n\n", 0, start) + 1
    readings = [find_reply(text[at:]) for at in (start, paragraph, 0)]
    told = (found for found in readings if found.reply or found.status)
    meant = (found for found in readings if judge(found) is not ReplyClass.UNKNOWN)
    return next(told, None) or next(meant, readings[0])


def _matches(rule: re.Pattern[str], text: str) -> Iterator[str]:
    for found in rule.finditer(text):
        group = found.lastindex or 1
        near = max(0, found.start(group) - NEAR)
        start = text.rfind("\n", near, found.start(group)) + 1 or near
        address = clean(found[group])
        if address and not _ASK.search(text[start : found.start(group)]):
            mailed = _EXPANDED.match(text, found.end(group))
            yield clean(mailed[1]) if mailed else address


def _distinct(addresses: Iterator[str]) -> list[str]:
    return list({address.lower(): address for address in addresses if address}.values())


def _paragraph(address: str, text: str) -> str:
    """The lines from each that names the recipient to the next blank line."""
    wanted = address.lower()
    kept: list[str] = []
    inside = False
    for line in text.split("\n"):
        inside = wanted in line.lower() or (inside and bool(line.strip()))
        if inside and not _names_another(line, wanted):
            kept.append(line)
        else:
            inside = False
    return "\n".join(kept)


def _names_another(line: str, wanted: str) -> bool:
    found = _RULES[0].match(line)
    return found is not None and found[1].lower() != wanted
