"""Email addresses: which ones are valid, and when two are the same."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from hashlib import blake2b
from types import ModuleType
from typing import TYPE_CHECKING

from newsletter.audience.keys import derive
from newsletter.dns_checks.domains import RESERVED_TLDS
from newsletter.errors import InputError

if TYPE_CHECKING:
    from newsletter.audience.keys import Keys

LONGEST_ADDRESS = 254
LONGEST_LOCAL_PART = 64
_plain_local = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*").fullmatch
_plain_domain = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
).fullmatch


def check_address(email: str) -> str:
    """Validate an address strictly by RFC 5321 and 5322, as email-validator reads them.

    Returns:
        The address as typed, stripped; an internationalized domain as its ASCII form (RFC 5891),
        which every mail server accepts.

    Raises:
        InputError: The address is invalid; the message says why.
    """
    email = email.strip()
    return email if is_plain(email) else _judge(email)


def is_plain(email: str) -> bool:
    """Whether an address is a plain one: a subset of what email-validator accepts, checked fast."""
    local, _, domain = email.rpartition("@")
    return (
        len(email) <= LONGEST_ADDRESS
        and len(local) <= LONGEST_LOCAL_PART
        and _plain_local(local) is not None
        and _is_plain_domain(domain)
    )


def address_key(email: str) -> str:
    """The key that is equal for equal addresses: all lower case, the domain in ASCII.

    Dots and plus tags stay: only some providers ignore them, and not for every domain.

    Raises:
        InputError: The domain has no ASCII form.
    """
    email = email.strip()
    return email.lower() if email.isascii() else _judge(email).lower()


def address_hash(key: str, keys: Keys) -> bytes:
    """The keyed hash (32 bytes) under which an address key is suppressed."""
    # Derived once: an import hashes a million addresses.
    state = _hash_state(keys.suppression).copy()
    state.update(key.encode())
    return state.digest()


@lru_cache(maxsize=8)
def _hash_state(key: bytes) -> blake2b:
    return derive(key, b"address", 32)


@cache
def _library() -> ModuleType:
    """email-validator, loaded when the first address is validated: a send validates none."""
    import email_validator

    # The library's documented way to accept such names, which tests and samples use.
    email_validator.SPECIAL_USE_DOMAIN_NAMES[:] = [
        name for name in email_validator.SPECIAL_USE_DOMAIN_NAMES if name not in RESERVED_TLDS
    ]
    return email_validator


def _judge(email: str) -> str:
    email_validator = _library()
    try:
        found = email_validator.validate_email(email, check_deliverability=False, strict=True)
    except email_validator.EmailSyntaxError as error:
        # Its messages quote the address, which may be of any length.
        reason = str(error)
        raise InputError(reason if len(reason) <= 200 else reason[:197] + "...") from None
    if found.ascii_email is None:
        raise InputError(
            "The part before the @-sign has non-ASCII characters, which many mail servers reject."
        )
    if email.isascii():
        return email
    return f"{email.rpartition('@')[0]}@{found.ascii_domain}"


# A list has few domains, and the library takes most of an import's time.
@lru_cache(maxsize=65536)
def _is_plain_domain(domain: str) -> bool:
    if _plain_domain(domain) is None:
        return False
    email_validator = _library()
    try:
        email_validator.validate_email(f"a@{domain}", check_deliverability=False, strict=True)
    except email_validator.EmailSyntaxError:
        return False
    return True
