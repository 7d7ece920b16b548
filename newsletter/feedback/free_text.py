"""Bounces written for people: which recipients they are about, and what they say.

Servers that are older than RFC 3464, or ignore it, share a few layouts. Each rule below is one of
them; the first rule that finds an address decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from newsletter.feedback.addresses import ADDRESS, clean, is_machine
from newsletter.feedback.diagnostics import Diagnostic, find_phase, find_reply, judge
from newsletter.feedback.message import Fields, Mail
from newsletter.smtp_replies.classify import ReplyClass

MAX_FREE_TEXT = 32 * 1024
"""Characters of a bounce's text that are read."""
LOOKBACK = 200
"""How many characters before an address, on its line, may say that another one is meant."""

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
"""How many of the rules are reliable without other signs that the text is a bounce."""
_EXPANDED = re.compile(rf"[>\])\s]{{0,20}}\(?expanded from:?\s{{0,20}}<?({ADDRESS})", re.IGNORECASE)
_ASK = re.compile(r"contact|assistance|send mail to|questions|message from|sender|from:?\s*$", re.I)


def looks_like_bounce(mail: Mail) -> bool:
    """Whether a mail system wrote this to say that something was not delivered.

    Only mail systems are called mailer-daemon. Otherwise two signs are needed of: a sender's name,
    a subject, words, a report's form.
    """
    fields = mail.fields
    if fields.get("X-Failed-Recipients") or from_mailer(fields):
        return True
    subject = fields.decoded("Subject")
    sender = fields.decoded("From").strip()
    # A null return path (RFC 5321 section 4.5.5) is no sign: auto-replies use it, too.
    by_name = sender == "<>" or bool(_DAEMON.search(sender))
    # People who answer a bounce quote it.
    if _ANSWER.match(subject) and not by_name:
        return False
    by_subject = bool(_SUBJECT.search(subject))
    text = mail.free_text[:MAX_FREE_TEXT]
    by_words = bool(_FAILED.search(text)) or judge(find_reply(text)) is not ReplyClass.UNKNOWN
    by_form = "delivery-status" in fields.get("Content-Type").lower()
    returns_mail = by_words and bool(mail.returned.pairs)
    return by_name + by_subject + by_words + by_form + returns_mail > 1


def from_mailer(fields: Fields) -> bool:
    """Whether the author has the name that only mail systems have."""
    return bool(_MAILER.search(fields.decoded("From")))


def find_recipients(mail: Mail, text: str, *, strict: bool = False) -> list[str]:
    """The addresses that a bounce is about, as we mailed them; empty if it names none.

    Args:
        mail: The message.
        text: Which text of it to search.
        strict: The text may hold more than the bounce: use only the most reliable layouts.
    """
    named = _distinct(map(clean, mail.fields.get("X-Failed-Recipients").split(",")))
    if named:
        return named
    by_rule: list[list[str]] = []
    for rule in _RULES[:_CERTAIN] if strict else _RULES:
        found: list[str] = []
        for match in rule.finditer(text):
            group = match.lastindex or 1
            near = max(0, match.start(group) - LOOKBACK)
            start = text.rfind("\n", near, match.start(group)) + 1 or near
            address = clean(match[group])
            if address and not _ASK.search(text[start : match.start(group)]):
                # Of an alias, the address that we mailed follows the one that failed.
                mailed = _EXPANDED.match(text, match.end(group))
                found.append(clean(mailed[1]) if mailed else address)
        by_rule.append(_distinct(found))
    # Addresses such as postmaster@ count only where no rule finds another.
    subscribers = ([a for a in found if not is_machine(a)] for found in by_rule)
    return next((found for found in (*subscribers, *by_rule) if found), [])


def original_recipient(mail: Mail) -> list[str]:
    """The address in the returned message's To, if there is exactly one."""
    found = re.findall(ADDRESS, mail.returned.get("To")[:2000])
    return found if len(found) == 1 else []


def said_about(address: str, text: str, *, alone: bool) -> Diagnostic:
    """What a bounce says about one recipient.

    Args:
        address: The recipient.
        text: The bounce's text.
        alone: It is about no other recipient, so that any refusal in it is about this one.
    """
    # First of all in its paragraphs: from each line that names the recipient to the next blank
    # line or other recipient.
    wanted = address.lower()
    kept: list[str] = []
    inside = False
    for line in text.split("\n"):
        inside = wanted in line.lower() or (inside and bool(line.strip()))
        other = _RULES[0].match(line) if inside else None
        if other and other[1].lower() != wanted:
            inside = False
        if inside:
            kept.append(line)
    said = find_reply("\n".join(kept))
    if alone and (said.reply or said.status):
        return replace(said, phase=find_phase(text) or said.phase)
    if not alone:
        return said
    start = max(0, text.lower().find(wanted))
    paragraph = text.rfind("\n\n", 0, start) + 1
    readings = [find_reply(text[at:]) for at in (start, paragraph, 0)]
    with_code = (found for found in readings if found.reply or found.status)
    with_meaning = (found for found in readings if judge(found) is not ReplyClass.UNKNOWN)
    return next(with_code, None) or next(with_meaning, readings[0])


def _distinct(addresses: Iterable[str]) -> list[str]:
    return list({address.lower(): address for address in addresses if address}.values())
