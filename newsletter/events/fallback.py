"""flufl.bounce, for the layouts that only it knows.

It raises IndexError on mail without a From, gives bytes, and takes scraps for addresses: nothing
it says is believed before it is checked.
"""

from __future__ import annotations

import email

from flufl.bounce import all_failures

from newsletter.events.addresses import clean, is_machine

LONGEST = 64 * 1024


def scan(raw: bytes) -> tuple[list[str], list[str]]:
    """The recipients that flufl.bounce finds.

    Args:
        raw: The message; only its beginning is read.

    Returns:
        Addresses that are late, and addresses that failed.
    """
    try:
        late, failed = all_failures(email.message_from_bytes(raw[:LONGEST]))
    except Exception:  # a parser of hostile mail, with known crashes: it finds nothing then
        return [], []
    return _checked(late), _checked(failed)


def _checked(found: frozenset[bytes] | set[bytes]) -> list[str]:
    texts = (item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in found)
    addresses = sorted(clean(text) for text in texts)
    return [address for address in addresses if address and not is_machine(address)]
