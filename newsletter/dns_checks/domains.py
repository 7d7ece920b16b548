"""Domain names of email addresses: their ASCII form, and those that no mail ever reaches."""

from __future__ import annotations

import idna

from newsletter.errors import InputError

RESERVED_TLDS = frozenset({"example", "invalid", "test"})
"""Top-level domains that no mail ever reaches (RFC 2606 section 2), used in examples and tests.

``.localhost``, ``.local``, ``.onion`` and ``.arpa`` are refused, as email-validator does.
"""
_RESERVED_DOMAINS = ("example.com", "example.net", "example.org")


def ascii_domain(address: str) -> str:
    """The address with its domain in ASCII (RFC 5891); the local part stays.

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


def is_reserved(email: str) -> bool:
    """Whether no mail can ever reach this address (RFC 2606 sections 2 and 3)."""
    domain = email.rpartition("@")[2].lower()
    return domain.rpartition(".")[2] in RESERVED_TLDS or any(
        domain == name or domain.endswith("." + name) for name in _RESERVED_DOMAINS
    )
