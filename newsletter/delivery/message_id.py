"""Message-IDs of campaigns, ``<tag.position.mac@domain>``: each proves only its own delivery.

The tag names the campaign. The MAC covers campaign, position and subscriber
(`TokenSigner.sign_delivery`), so recipients cannot derive another's from their own.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from newsletter.audience.tokens import MAC_BYTES

TAG_LENGTH = 12
_OURS = re.compile(
    rf"<([0-9a-f]{{{TAG_LENGTH}}})\.([1-9][0-9]{{0,8}})\.([0-9a-f]{{{2 * MAC_BYTES}}})@"
).match


class MessageId(NamedTuple):
    """The parts of one of our Message-IDs; the MAC is not verified yet."""

    tag: str
    position: int
    mac: bytes


def campaign_tag(digest: str, seal: str, run: str = "") -> str:
    """The first part of a campaign's Message-IDs: the same on every run.

    Args:
        digest: The digest of the compiled issue.
        seal: The signed bounce token of the campaign for uid 0, which is nobody's.
        run: Tells proof messages of one run from those of another.
    """
    return hashlib.sha256(f"{digest} {seal} {run}".encode()).hexdigest()[:TAG_LENGTH]


def local_part(tag: str, position: int, mac: bytes) -> str:
    """The Message-ID before its ``@``, at most 45 characters."""
    return f"{tag}.{position}.{mac.hex()}"


def read_message_id(text: str) -> MessageId | None:
    """Parse a Message-ID with its angle brackets; None if it is not of this form."""
    found = _OURS(text)
    return MessageId(found[1], int(found[2]), bytes.fromhex(found[3])) if found else None
