"""Email addresses in the text of a bounce."""

from __future__ import annotations

import re

ADDRESS = r"[^\s\x00-\x1f\x7f<>()\[\]\\,;:\"'|=@]{1,64}@[^\W_](?:[\w.-]{0,251}[^\W_])?"
"""Deliberately narrow: bounces put brackets, quotes and punctuation around addresses."""
_WHOLE = re.compile(ADDRESS)
_SENDERS = re.compile(
    r"(?:mailer-?daemon|postmaster|abuse|no-?reply|do-?not-?reply|support)@", re.I
)


def clean(text: str) -> str:
    """The address in a field's value, without type, brackets and quotes; empty if it has none.

    Reads `rfc822; <a@b.example>` (RFC 3464 section 2.3.1) as well as a bare address.
    """
    value = text.rpartition(";")[2].partition(" (")[0].strip().strip("<>'\" \t")
    value = value.removeprefix("mailto:").rstrip(".")
    return value if _WHOLE.fullmatch(value) else ""


def is_machine(address: str) -> bool:
    """Whether bounces come from such an address, or tell people to ask there."""
    return bool(_SENDERS.match(address))
