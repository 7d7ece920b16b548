"""What a refusal says about the reader, about us, or about neither.

One place for it: delivering reads SMTP replies here, and bounces and provider events are read by
the same rules.

The enhanced status codes are those of RFC 3463 and the IANA registry it founded (RFC 5248,
RFC 7293, RFC 7505); where large receivers use a code in a way of their own, their published
sender pages decide: Gmail's 4.7.28 (rate) and 5.7.26 (unauthenticated), Microsoft's 5.4.1 "access
denied" (no such user) and 5.7.515 (authentication), Yahoo's 421 and 451 (try again).
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

from newsletter.smtp_replies.phrases import ABOUT_US, FULL, TROUBLE, says_dead


class ReplyClass(StrEnum):
    """What follows from a refusal."""

    HARD = "hard"
    """The address is dead: suppress it now."""
    SOFT = "temporary"
    """About this mailbox or just now: counted, and suppressed only when it keeps happening."""
    BLOCK = "policy"
    """About the sender or the content: never suppress anybody; alert, and hold the campaign."""
    UNKNOWN = "unknown"
    """It does not say. Nobody is suppressed on a guess."""


_STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?![\d.])")

_HARD = frozenset(["1.1", "1.2", "1.3", "1.6", "1.10", "4.4", "4.310", "7.17", "7.18"])
_VAGUE = frozenset(["0.0", "1.0", "1.4", "2.0", "2.1", "3.0", "4.0", "4.1", "5.0", "7.0", "7.1"])
_POLICY = frozenset(["1.7", "1.8", "2.3", "3.4"])
_POLICY_SUBJECTS = frozenset("67")
"""Content, and security or policy (RFC 3463 sections 3.7 and 3.8)."""
_SWITCHED_OFF = "7.13"
"""The user's account is disabled (RFC 5248)."""
_BINDING = frozenset("67")
"""Subjects whose exact codes stand whatever the words are."""
_NOT_ABOUT_ANYBODY = frozenset(["6.7", "6.9"])
"""An international address met a host that cannot take it (RFC 6531)."""
_POLICY_CODES = frozenset((530, 534, 535, 538))
"""Our login is refused (RFC 4954)."""

_NEVER_TAKES_MAIL = frozenset((521, 556))
"""The host, or the domain, takes no mail at all (RFC 7504)."""


@lru_cache(maxsize=64)
def enhanced_status(text: str) -> str:
    """Give the enhanced status code a reply's text begins with, or an empty string.

    Source: RFC 2034 section 4, RFC 3463 section 2.
    """
    found = _STATUS.match(text)
    return found[1] if found else ""


def classify(code: int | None, status: str, text: str) -> ReplyClass:
    """Say what a refusal is about.

    The status code decides where it is exact; where it is vague or absent ("5.0.0", "5.7.1",
    a bare 550) the words decide, and where these are no known ones: a 4xx is temporary, an x.7
    policy, anything else unknown.

    Args:
        code: The SMTP reply code, if there is one.
        status: The enhanced status code ("5.1.1"), or an empty string.
        text: What the other side said.
    """
    status = status or enhanced_status(text)
    transient = status.startswith("4") or (code is not None and 400 <= code < 500)
    refused = transient or status.startswith("5") or (code is not None and 500 <= code < 600)
    if not refused:
        return ReplyClass.UNKNOWN
    if code in _POLICY_CODES:
        return ReplyClass.BLOCK
    detail = status.partition(".")[2]
    said = _by_words(text.lower(), transient)
    if code in _NEVER_TAKES_MAIL and status in ("", "5.3.2", "5.1.10"):
        return said or ReplyClass.HARD
    if not detail or detail in _VAGUE:
        return said or _otherwise(code, detail, transient)
    exact = _by_status(detail, transient)
    return exact if said is None or detail[0] in _BINDING else _weighed(exact, said, text.lower())


def _weighed(exact: ReplyClass, said: ReplyClass, text: str) -> ReplyClass:
    """Words that are known against a code: many a server has one code for all that it refuses."""
    if exact is ReplyClass.HARD:
        return exact if says_dead(text) else said
    return said if said is ReplyClass.HARD else exact


def _by_status(detail: str, transient: bool) -> ReplyClass:
    if detail in _NOT_ABOUT_ANYBODY:
        return ReplyClass.UNKNOWN
    if detail == _SWITCHED_OFF:
        return ReplyClass.SOFT
    if detail in _HARD:
        return ReplyClass.SOFT if transient else ReplyClass.HARD
    if detail in _POLICY or detail[0] in _POLICY_SUBJECTS:
        return ReplyClass.BLOCK
    if detail[0] == "5":
        return ReplyClass.SOFT if transient else ReplyClass.UNKNOWN
    return ReplyClass.SOFT


def _by_words(said: str, transient: bool) -> ReplyClass | None:
    if FULL.search(said):
        return ReplyClass.SOFT
    if ABOUT_US.search(said):
        return ReplyClass.BLOCK
    if TROUBLE.search(said):
        return ReplyClass.SOFT
    if says_dead(said):
        return ReplyClass.SOFT if transient else ReplyClass.HARD
    return None


def _otherwise(code: int | None, detail: str, transient: bool) -> ReplyClass:
    if detail.startswith("7"):
        return ReplyClass.BLOCK
    if detail == "1.0" and not transient:
        return ReplyClass.HARD
    if transient or code == 552 or detail.startswith(("2", "4")):
        return ReplyClass.SOFT
    return ReplyClass.UNKNOWN
