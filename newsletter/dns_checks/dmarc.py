"""DMARC: what receivers do with mail in our name, and whether ours is aligned (RFC 7489).

The organizational domain is found by walking up the tree of `_dmarc` records, as the revision of
DMARC does (draft-ietf-dmarc-dmarcbis, section 4.10). That needs no list of public suffixes, and
gives the same answer wherever a domain publishes one record for all its subdomains.
"""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.dns_checks.model import CheckResult, CheckStatus, SenderProfile
from newsletter.dns_checks.resolver import Resolver
from newsletter.dns_checks.tags import parse_tags
from newsletter.errors import InputError

POLICIES = {"none", "quarantine", "reject"}
_MAX_STEPS = 8
"""Lookups per name (draft-ietf-dmarc-dmarcbis, section 4.10)."""


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """A policy; ``psd`` says whether others register names under its domain."""

    policy: str
    subdomains: str
    strict_dkim: bool
    strict_spf: bool
    reports: tuple[str, ...]
    psd: str


def is_dmarc(text: str) -> bool:
    """Whether a TXT record is a DMARC record (RFC 7489 section 6.6.3)."""
    # The value is case-sensitive, unlike names of tags.
    name, _, value = text.partition(";")[0].partition("=")
    return name.strip().lower() == "v" and value.strip() == "DMARC1"


def parse_dmarc(text: str) -> DmarcRecord:
    """Read a record that `is_dmarc`.

    Raises:
        InputError: A tag is missing or invalid; the message names it.
    """
    tags = parse_tags(text)
    if "p" not in tags:
        raise InputError("p= is missing")
    policy = _one_of(tags, "p", POLICIES, "")
    if not tags.get("pct", "100").isdecimal() or int(tags.get("pct", "100")) > 100:
        raise InputError("pct= is not a number from 0 to 100")
    reports = tuple(uri.strip() for uri in tags.get("rua", "").split(",") if uri.strip())
    for uri in reports:
        if not uri.lower().startswith("mailto:") or "@" not in uri:
            raise InputError(f"rua={uri} is not a mailto: address")
    return DmarcRecord(
        policy,
        _one_of(tags, "sp", POLICIES, policy),
        _one_of(tags, "adkim", {"r", "s"}, "r") == "s",
        _one_of(tags, "aspf", {"r", "s"}, "r") == "s",
        reports,
        _one_of(tags, "psd", {"y", "n", "u"}, "u"),
    )


def check_policy(sender: SenderProfile) -> CheckResult:
    """The From domain has a valid policy, with an address for reports."""
    domain = sender.from_domain
    try:
        found = find_policy(sender.resolver, domain)
    except InputError as error:
        return CheckResult(CheckStatus.PROBLEM, error.message, _publish(domain))
    if found is None:
        return CheckResult(CheckStatus.PROBLEM, f"no DMARC record for {domain}", _publish(domain))
    at, record = found
    # The record of an organizational domain has a policy of its own for subdomains.
    policy = record.policy if at == domain else record.subdomains
    seen = f"p={policy}, from _dmarc.{at}"
    if not record.reports:
        fix = f"add rua=mailto:dmarc@{at} to receive reports of who sends in your name"
        return CheckResult(CheckStatus.WARNING, f"{seen}, without an address for reports", fix)
    return CheckResult(CheckStatus.OK, seen)


def check_alignment(sender: SenderProfile) -> CheckResult:
    """SPF's domain or DKIM's is aligned with the From domain, as strictly as the policy asks."""
    if sender.provider:
        return CheckResult(
            CheckStatus.SKIPPED,
            f"{sender.provider} signs and handles bounces: see the check {sender.provider_check}",
        )
    domain, signed = sender.from_domain, sender.settings.dkim.domain.lower()
    try:
        found = find_policy(sender.resolver, domain)
    except InputError as error:
        return CheckResult(CheckStatus.PROBLEM, error.message, "fix the DMARC record first")
    # Relaxed alignment is the default, also without a record.
    strict = (found[1].strict_spf, found[1].strict_dkim) if found else (False, False)
    spf = aligned(sender.resolver, sender.bounce_domain, domain, strict=strict[0])
    dkim = bool(signed) and aligned(sender.resolver, signed, domain, strict=strict[1])
    seen = f"From {domain}: SPF {sender.bounce_domain} {_is(spf)}, " + (
        f"DKIM {signed} {_is(dkim)}" if signed else "DKIM not signed here"
    )
    sign = f"sign as {domain} ([dkim] domain)" if signed else f"have the relay sign as {domain}"
    status, fix = CheckStatus.OK, ""
    if not spf and not dkim:
        status = CheckStatus.PROBLEM if signed else CheckStatus.WARNING
        fix = f"{sign}, and set bounce_address to an address at or below it" if signed else sign
    elif not signed:
        # Not a warning: whether the relay signs cannot be seen from here.
        fix = f"{sign}: SPF does not survive forwarding"
    elif not (spf and dkim):
        status = CheckStatus.WARNING
        fix = sign if spf else f"set bounce_address to an address at or below {domain}"
        fix += ": Microsoft requires both SPF and DKIM"
    return CheckResult(status, seen, fix)


def find_policy(resolver: Resolver, domain: str) -> tuple[str, DmarcRecord] | None:
    """The record that applies to a domain: its own, or that of its organizational domain.

    Raises:
        InputError: It is invalid, or there are several.
        UnavailableError: The DNS lookup failed.
    """
    own = _record(resolver, domain)
    if own:
        return domain, own
    above = organizational_domain(resolver, domain)
    record = _record(resolver, above)
    return (above, record) if record else None


def organizational_domain(resolver: Resolver, domain: str) -> str:
    """The domain at or above another that is the topmost with a record, or that ``psd=`` marks."""
    labels = domain.split(".")
    # Of a very long name, only the name itself and the last labels are asked about.
    starts = range(max(1, len(labels) - _MAX_STEPS + 1), len(labels))
    names = [domain, *(".".join(labels[start:]) for start in starts)]
    top = domain
    for below, name in zip(["", *names], names, strict=False):
        record = _record(resolver, name)
        if record is None:
            continue
        if record.psd == "n":
            return name
        # Others register names under this domain, as under a public suffix.
        if record.psd == "y":
            return below or name
        top = name
    return top


def aligned(resolver: Resolver, domain: str, from_domain: str, *, strict: bool) -> bool:
    """Whether two domains are the same or, relaxed, of one organization (section 3.1)."""
    if strict or domain == from_domain:
        return domain == from_domain
    return organizational_domain(resolver, domain) == organizational_domain(resolver, from_domain)


def _record(resolver: Resolver, domain: str) -> DmarcRecord | None:
    found = [text for text in resolver.txt(f"_dmarc.{domain}") if is_dmarc(text)]
    # Then no policy applies (RFC 7489 section 6.6.3).
    if len(found) > 1:
        raise InputError(f"_dmarc.{domain} has {len(found)} records: receivers then use none")
    try:
        return parse_dmarc(found[0]) if found else None
    except InputError as error:
        raise InputError(f"_dmarc.{domain}: {error.message}") from None


def _is(yes: bool) -> str:
    return "aligned" if yes else "not aligned"


def _one_of(tags: dict[str, str], name: str, allowed: set[str], default: str) -> str:
    value = tags.get(name, default).lower()
    if name in tags and value not in allowed:
        raise InputError(f"{name}={tags[name]} is not one of {', '.join(sorted(allowed))}")
    return value


def _publish(domain: str) -> str:
    return f'publish: _dmarc.{domain}. TXT "v=DMARC1; p=none; rua=mailto:dmarc@{domain}"'
