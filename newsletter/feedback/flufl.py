"""flufl.bounce, for the layouts that only it knows.

It raises IndexError on mail without a From, returns bytes, and takes fragments for addresses, so
its answers are checked before they are used.
"""

from __future__ import annotations

import email
import logging
import re

from flufl.bounce import all_failures

from newsletter.feedback.addresses import clean, is_machine

# It logs a traceback whenever a message breaks one of its detectors.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)

MAX_SCANNED = 64 * 1024
_LONG_LINE = re.compile(rb"[^\n]{998}")
"""The longest allowed line (RFC 5322 section 2.1.1)."""


def scan(raw: bytes) -> tuple[list[str], list[str]]:
    """The recipients that flufl.bounce finds.

    Args:
        raw: The message; only its beginning is read.

    Returns:
        Addresses whose delivery is delayed, and addresses whose delivery failed.
    """
    try:
        # Its patterns take time by the square of a line's length.
        text = _LONG_LINE.sub(rb"\g<0>\n", raw[:MAX_SCANNED])
        late, failed = all_failures(email.message_from_bytes(text))
    except Exception:  # hostile mail can crash its detectors in any way
        return [], []
    return _checked(late), _checked(failed)


def _checked(found: frozenset[bytes] | set[bytes]) -> list[str]:
    texts = (item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in found)
    addresses = sorted(clean(text) for text in texts)
    return [address for address in addresses if address and not is_machine(address)]
