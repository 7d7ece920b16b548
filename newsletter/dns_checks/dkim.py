"""DKIM: whether receivers find the public half of our key (RFC 6376 section 3.6, RFC 8463)."""

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
    """A key record; ``key`` is None where it was revoked."""

    key: PublicKey | None
    testing: bool


def parse_dkim(text: str) -> DkimRecord:
    """Read a key record.

    Raises:
        InputError: Receivers cannot use it for mail signed with SHA-256.
    """
    tags = parse_tags(text)
    if tags.get("v", "DKIM1") != "DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        raise InputError("v=DKIM1 must come first")
    if "p" not in tags:
        raise InputError("p= is missing")
    if "sha256" not in _listed(tags, "h", "sha256"):
        raise InputError("h= leaves out sha256, which signs our mail")
    if not {"*", "email"} & _listed(tags, "s", "*"):
        raise InputError("s= does not allow email")
    data = "".join(tags["p"].split())
    key = _key(tags.get("k", "rsa").lower(), data) if data else None
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
    """The record at the selector is there, and holds the public half of our key."""
    dkim = sender.settings.dkim
    if sender.provider:
        return CheckResult(
            CheckStatus.SKIPPED, f"{sender.provider} signs: see the check {sender.provider_check}"
        )
    if not dkim.domain:
        seen = "the relay signs, if anybody does: under which selector is not known here"
        return CheckResult(
            CheckStatus.SKIPPED, seen, "have it sign as the From domain, or set [dkim]"
        )
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
    if _der(record.key) != _der(private.public_key()):
        return CheckResult(
            CheckStatus.PROBLEM, f"the key at {name} is not that of our key file", publish
        )
    return judge_key(record, name)


def look_up(resolver: Resolver, name: str) -> DkimRecord:
    """The one key record at a name.

    Raises:
        InputError: There is none, there are several, or it cannot be used.
        UnavailableError: DNS does not say.
    """
    found = resolver.txt(name)
    if len(found) != 1:
        raise InputError(f"{name} has {len(found) or 'no'} TXT record{'s' if found else ''}")
    try:
        return parse_dkim(found[0])
    except InputError as error:
        raise InputError(f"{name}: {error.message}") from None


def judge_key(record: DkimRecord, name: str) -> CheckResult:
    """Whether a published key is strong enough, and meant in earnest."""
    if isinstance(record.key, RSAPublicKey):
        size = record.key.key_size
        if size < SHORTEST_RSA:
            verdict = CheckStatus.PROBLEM if size < 1024 else CheckStatus.WARNING
            fix = f"make one of {SHORTEST_RSA} bits (RFC 8301)"
            return CheckResult(verdict, f"the key at {name} is of {size} bits", fix)
        seen = f"{name}: RSA, {size} bits"
    else:
        seen = f"{name}: {'Ed25519' if record.key else 'revoked'}"
    if record.key is None:
        return CheckResult(
            CheckStatus.PROBLEM, seen, "publish the key again, or take another selector"
        )
    if record.testing:
        fix = "take t=y out of the record: it tells receivers to treat us as if we did not sign"
        return CheckResult(CheckStatus.WARNING, f"{seen}, in testing mode (t=y)", fix)
    return CheckResult(CheckStatus.OK, seen)


def _key(kind: str, data: str) -> PublicKey:
    try:
        raw = base64.b64decode(data, validate=True)
        key = Ed25519PublicKey.from_public_bytes(raw) if kind == "ed25519" else _rsa(kind, raw)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        raise InputError(f"p= holds no {kind} key") from None
    return key


def _rsa(kind: str, raw: bytes) -> RSAPublicKey:
    key = load_der_public_key(raw)
    if kind != "rsa" or not isinstance(key, RSAPublicKey):
        raise ValueError(kind)
    return key


def _der(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _listed(tags: dict[str, str], name: str, default: str) -> set[str]:
    return {part.strip().lower() for part in tags.get(name, default).split(":")}
