"""DKIM: whether receivers find our public key (RFC 6376 section 3.6, RFC 8463)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from newsletter.dns_checks.dkim_key import SHORTEST_RSA, load_key
from newsletter.dns_checks.model import CheckResult, CheckStatus, SenderProfile
from newsletter.dns_checks.resolver import Resolver
from newsletter.dns_checks.tags import parse_tags
from newsletter.errors import InputError

PublicKey = Ed25519PublicKey | RSAPublicKey


@dataclass(frozen=True, slots=True)
class DkimRecord:
    """A key record; ``key`` is None if it was revoked."""

    key: PublicKey | None
    testing: bool


def parse_dkim(text: str) -> DkimRecord:
    """Read a key record.

    Raises:
        InputError: Receivers cannot use it for mail signed with SHA-256.
    """
    tags = parse_tags(text)
    # "v" may be missing, but must come first where it is given (RFC 6376 section 3.6.1).
    if tags.get("v", "DKIM1") != "DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        raise InputError("v=DKIM1 must come first")
    if "p" not in tags:
        raise InputError("p= is missing")
    if "sha256" not in _listed(tags, "h", "sha256"):
        raise InputError("h= does not allow sha256, which signs our mail")
    # A key may be restricted to other services.
    if not {"*", "email"} & _listed(tags, "s", "*"):
        raise InputError("s= does not allow email")
    # Web forms for DNS records break long keys, and blanks between the pieces are allowed.
    data = "".join(tags["p"].split())
    kind = tags.get("k", "rsa").lower()
    key: PublicKey | None = None
    if data:
        try:
            raw = base64.b64decode(data, validate=True)
            if kind == "ed25519":
                key = Ed25519PublicKey.from_public_bytes(raw)
            else:
                loaded = load_der_public_key(raw)
                if kind != "rsa" or not isinstance(loaded, RSAPublicKey):
                    raise ValueError(kind)
                key = loaded
        except (binascii.Error, ValueError, UnsupportedAlgorithm):
            raise InputError(f"p= is not a valid {kind} key") from None
    return DkimRecord(key, "y" in _listed(tags, "t", ""))


def dkim_record(private: Ed25519PrivateKey | RSAPrivateKey) -> str:
    """The record to publish for a private key."""
    key = private.public_key()
    if isinstance(key, Ed25519PublicKey):
        kind, data = "ed25519", key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    else:
        kind, data = "rsa", _der(key)
    return f"v=DKIM1; k={kind}; p={base64.b64encode(data).decode()}"


def check_key(sender: SenderProfile) -> CheckResult:
    """The selector's record exists and contains our public key."""
    dkim = sender.settings.dkim
    if sender.provider:
        return CheckResult(
            CheckStatus.SKIPPED, f"{sender.provider} signs: see the check {sender.provider_check}"
        )
    if not dkim.domain:
        seen = "[dkim] is not set: whether the relay signs, and how, cannot be seen from here"
        fix = "have the relay sign as the From domain, or set [dkim]"
        return CheckResult(CheckStatus.SKIPPED, seen, fix)
    name = f"{dkim.selector}._domainkey.{dkim.domain}".lower()
    private = load_key(dkim, sender.settings.root)
    publish = f'publish: {name}. TXT "{dkim_record(private)}"'
    try:
        record = look_up(sender.resolver, name)
    except InputError as error:
        return CheckResult(CheckStatus.PROBLEM, error.message, publish)
    if record.key is None:
        return CheckResult(
            CheckStatus.PROBLEM, f"the key at {name} is revoked (p= is empty)", publish
        )
    # As DER, since the record and the key file may encode the same key in different ways.
    if _der(record.key) != _der(private.public_key()):
        return CheckResult(
            CheckStatus.PROBLEM, f"the key at {name} does not match our key file", publish
        )
    return judge_key(record, name)


def look_up(resolver: Resolver, name: str) -> DkimRecord:
    """The one key record at a name.

    Raises:
        InputError: There is no record, there are several, or it cannot be used.
        UnavailableError: The DNS lookup failed.
    """
    found = resolver.txt(name)
    # With several records, the result is undefined (RFC 6376 section 3.6.2.2).
    if len(found) != 1:
        raise InputError(f"{name} has {len(found) or 'no'} TXT record{'s' if found else ''}")
    try:
        return parse_dkim(found[0])
    except InputError as error:
        raise InputError(f"{name}: {error.message}") from None


def judge_key(record: DkimRecord, name: str) -> CheckResult:
    """Whether a published key is long enough, not revoked, and not in testing mode."""
    if isinstance(record.key, RSAPublicKey):
        size = record.key.key_size
        if size < SHORTEST_RSA:
            # Receivers must not accept keys below 1,024 bits (RFC 8301 section 3.2).
            verdict = CheckStatus.PROBLEM if size < 1024 else CheckStatus.WARNING
            fix = f"create one of {SHORTEST_RSA} bits (RFC 8301)"
            return CheckResult(verdict, f"the key at {name} has {size} bits", fix)
        seen = f"{name}: RSA, {size} bits"
    else:
        seen = f"{name}: {'Ed25519' if record.key else 'revoked'}"
    if record.key is None:
        return CheckResult(
            CheckStatus.PROBLEM, seen, "publish the key again, or use another selector"
        )
    if record.testing:
        fix = "remove t=y from the record: receivers treat mail signed with it as unsigned"
        return CheckResult(CheckStatus.WARNING, f"{seen}, in testing mode (t=y)", fix)
    return CheckResult(CheckStatus.OK, seen)


def _der(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _listed(tags: dict[str, str], name: str, default: str) -> set[str]:
    return {part.strip().lower() for part in tags.get(name, default).split(":")}
