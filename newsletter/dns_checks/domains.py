"""Domains of email addresses: their ASCII form, and those that no mail can reach."""

from __future__ import annotations

import idna

from newsletter.errors import InputError

RESERVED_TLDS = frozenset({"example", "invalid", "test"})
"""Top-level domains for examples and tests, which no mail can reach (RFC 2606 section 2).

``.localhost``, ``.local``, ``.onion`` and ``.arpa`` are refused as addresses by email-validator.
"""


def ascii_domain(address: str) -> str:
    """The address with its domain in ASCII (RFC 5891) and its local part unchanged.

    Raises:
        InputError: The domain has no ASCII form.
    """
    if address.isascii():
        return address
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"
    except idna.IDNAError:
        raise InputError("a mail domain has no ASCII form") from None
