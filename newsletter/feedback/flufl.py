"""flufl.bounce, for the layouts that only it knows.

It raises IndexError on mail without a From, gives bytes, and takes scraps for addresses: nothing
it says is believed before it is checked.
"""

from __future__ import annotations

import email
import logging
import re

from flufl.bounce import all_failures

from newsletter.feedback.addresses import clean, is_machine

# It writes a traceback for each of its detectors that a message breaks.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)

LONGEST = 64 * 1024
_LONG_LINE = re.compile(rb"[^\n]{998}")
"""As long as a line may be (RFC 5322 section 2.1.1); patterns of flufl.bounce take time by the
square of a line's length."""


def scan(raw: bytes) -> tuple[list[str], list[str]]:
    """The recipients that flufl.bounce finds.

    Args:
        raw: The message; only its beginning is read.

    Returns:
        Addresses that are late, and addresses that failed.
    """
    try:
        text = _LONG_LINE.sub(rb"\g<0>\n", raw[:LONGEST])
        late, failed = all_failures(email.message_from_bytes(text))
    except Exception:  # a parser of hostile mail, with known crashes: it finds nothing then
        return [], []
    return _checked(late), _checked(failed)


def _checked(found: frozenset[bytes] | set[bytes]) -> list[str]:
    texts = (item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in found)
    addresses = sorted(clean(text) for text in texts)
    return [address for address in addresses if address and not is_machine(address)]
