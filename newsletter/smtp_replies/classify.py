"""What a refusal is about: the recipient, us as a sender, or neither.

Sending, bounces and provider events all use these rules.

Enhanced status codes are those of RFC 3463 and its IANA registry (RFC 5248, RFC 7293, RFC 7505).
Where large receivers use a code in their own way, their published pages for senders decide:
Gmail's 4.7.28 (rate) and 5.7.26 (unauthenticated), Microsoft's 5.4.1 "access denied" (no such
user) and 5.7.515 (authentication), Yahoo's 421 and 451 (try again).
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

from newsletter.smtp_replies.phrases import ABOUT_US, FULL, TROUBLE, says_dead


class ReplyClass(StrEnum):
    """What a refusal means for the recipient. The values are stored and printed as JSON."""

    HARD = "hard"
    """The address is dead: suppress it now."""
    SOFT = "temporary"
    """About this mailbox, or only for now: counted, and suppressed if it keeps happening."""
    BLOCK = "policy"
    """About the sender or the content: suppress nobody; warn, and pause the campaign."""
    UNKNOWN = "unknown"
    """It does not say. Nobody is suppressed on a guess."""


_STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?![\d.])")

_HARD = frozenset(["1.1", "1.2", "1.3", "1.6", "1.10", "4.4", "4.310", "7.17", "7.18"])
_VAGUE = frozenset(["0.0", "1.0", "1.4", "2.0", "2.1", "3.0", "4.0", "4.1", "5.0", "7.0", "7.1"])
_BLOCK = frozenset(["1.7", "1.8", "2.3", "3.4"])
_BINDING = frozenset("67")
"""Content, and security or policy (RFC 3463 sections 3.7 and 3.8): these codes outrank words."""
_SWITCHED_OFF = "7.13"
"""The user's account is disabled (RFC 5248)."""
_ABOUT_NOBODY = frozenset(["6.7", "6.9"])
"""The next server cannot take an internationalized address (RFC 6531)."""
_LOGIN_CODES = frozenset((530, 534, 535, 538))
"""Our login is refused (RFC 4954)."""
_NO_MAIL_CODES = frozenset((521, 556))
"""The host, or the domain, accepts no mail at all (RFC 7504)."""


# Cached, because a relay sends the same few replies to thousands of recipients.
@lru_cache(maxsize=64)
def enhanced_status(text: str) -> str:
    """The enhanced status code that a reply's text begins with, or an empty string.

    Source: RFC 2034 section 4, RFC 3463 section 2.
    """
    found = _STATUS.match(text)
    return found[1] if found else ""


def classify(code: int | None, status: str, text: str) -> ReplyClass:
    """What a refusal is about.

    An exact status code decides. Where it is vague or missing ("5.0.0", "5.7.1", a bare 550), the
    words decide; where these say nothing known, a 4xx is soft, an x.7 a block, anything else
    unknown.

    Args:
        code: The SMTP reply code, if there is one.
        status: The enhanced status code ("5.1.1"), or an empty string.
        text: What the other server said.
    """
    status = status or enhanced_status(text)
    # Either sign is enough: some servers pair a 5xx code with a 4.x.x status, or the reverse, and
    # an address is not given up for what may pass.
    transient = status.startswith("4") or (code is not None and 400 <= code < 500)
    refused = transient or status.startswith("5") or (code is not None and 500 <= code < 600)
    if not refused:
        return ReplyClass.UNKNOWN
    # About our login at the relay, whatever the words say.
    if code in _LOGIN_CODES:
        return ReplyClass.BLOCK
    detail = status.partition(".")[2]
    words = text.lower()
    said = _by_words(words, transient)
    if code in _NO_MAIL_CODES and status in ("", "5.3.2", "5.1.10"):
        return said or ReplyClass.HARD
    if detail and detail not in _VAGUE:
        exact = _by_status(detail, transient)
        # Many a server has one code for everything that it refuses ("5.1.1 mailbox full"). So
        # words of known meaning outrank a code, but only words of death confirm a dead address.
        if (
            said is not None
            and detail[0] not in _BINDING
            and (said is ReplyClass.HARD or (exact is ReplyClass.HARD and not says_dead(words)))
        ):
            return said
        return exact
    if said is None and detail.startswith("7"):
        said = ReplyClass.BLOCK
    elif said is None and detail == "1.0" and not transient:
        said = ReplyClass.HARD
    elif said is None and (transient or code == 552 or detail.startswith(("2", "4"))):
        # By itself, 552 means that storage is exhausted (RFC 5321 section 4.2.2).
        said = ReplyClass.SOFT
    return said or ReplyClass.UNKNOWN


def _by_status(detail: str, transient: bool) -> ReplyClass:
    if detail in _ABOUT_NOBODY:
        return ReplyClass.UNKNOWN
    if detail == _SWITCHED_OFF:
        return ReplyClass.SOFT
    if detail in _HARD:
        return ReplyClass.SOFT if transient else ReplyClass.HARD
    if detail in _BLOCK or detail[0] in _BINDING:
        return ReplyClass.BLOCK
    if detail[0] == "5":
        # A protocol error is ours or theirs, never the recipient's.
        return ReplyClass.SOFT if transient else ReplyClass.UNKNOWN
    return ReplyClass.SOFT


def _by_words(said: str, transient: bool) -> ReplyClass | None:
    # In this order, because phrases overlap: a full mailbox exceeds a "size limit", which is also
    # said about a message, and servers that block us often call the user unknown.
    if FULL.search(said):
        return ReplyClass.SOFT
    if ABOUT_US.search(said):
        return ReplyClass.BLOCK
    if TROUBLE.search(said):
        return ReplyClass.SOFT
    if says_dead(said):
        return ReplyClass.SOFT if transient else ReplyClass.HARD
    return None
