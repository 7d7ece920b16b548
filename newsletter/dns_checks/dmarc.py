"""DMARC: what receivers do with mail in our name, and whether ours is aligned (RFC 7489).

Which domain stands above another is found by walking up the tree of `_dmarc` records, as the
revision of DMARC does (draft-ietf-dmarc-dmarcbis, section 4.10). It needs no list of public
suffixes, and gives the same answer wherever a domain publishes one record for all below it.
"""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.dns_checks.model import CheckResult, CheckStatus, SenderProfile
from newsletter.dns_checks.resolver import Resolver
from newsletter.dns_checks.tags import parse_tags
from newsletter.errors import InputError

POLICIES = {"none", "quarantine", "reject"}
_MOST_STEPS = 8


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """A policy; ``psd`` says whether its domain is one under which others register."""

    policy: str
    subdomains: str
    strict_dkim: bool
    strict_spf: bool
    reports: tuple[str, ...]
    psd: str


def is_dmarc(text: str) -> bool:
    """Whether a TXT record is one of DMARC (RFC 7489 section 6.6.3)."""
    name, _, value = text.partition(";")[0].partition("=")
    return name.strip().lower() == "v" and value.strip() == "DMARC1"


def parse_dmarc(text: str) -> DmarcRecord:
    """Read a record that `is_dmarc`.

    Raises:
        InputError: Names the tag that receivers stumble over.
    """
    tags = parse_tags(text)
    if "p" not in tags:
        raise InputError("p= is missing")
    policy = _one_of(tags, "p", POLICIES, "")
    if not tags.get("pct", "100").isdecimal() or int(tags.get("pct", "100")) > 100:
        raise InputError("pct= is no number from 0 to 100")
    return DmarcRecord(
        policy,
        _one_of(tags, "sp", POLICIES, policy),
        _one_of(tags, "adkim", {"r", "s"}, "r") == "s",
        _one_of(tags, "aspf", {"r", "s"}, "r") == "s",
        _addresses(tags.get("rua", "")),
        _one_of(tags, "psd", {"y", "n", "u"}, "u"),
    )


def check_policy(sender: SenderProfile) -> CheckResult:
    """A policy for the From domain, that can be read and says where reports go."""
    domain = sender.from_domain
    try:
        found = find_policy(sender.resolver, domain)
    except InputError as error:
        return CheckResult(CheckStatus.PROBLEM, error.message, _publish(domain))
    if found is None:
        return CheckResult(CheckStatus.PROBLEM, f"no DMARC record for {domain}", _publish(domain))
    at, record = found
    policy = record.policy if at == domain else record.subdomains
    seen = f"p={policy}, from _dmarc.{at}"
    if not record.reports:
        fix = f"add rua=mailto:dmarc@{at} to hear who sends in your name"
        return CheckResult(CheckStatus.WARNING, f"{seen}, and reports go nowhere", fix)
    return CheckResult(CheckStatus.OK, seen)


def check_alignment(sender: SenderProfile) -> CheckResult:
    """The domain of SPF or that of DKIM belongs to the From domain, as the policy wants it."""
    if sender.provider:
        return CheckResult(
            CheckStatus.SKIPPED,
            f"{sender.provider} signs and handles bounces: see the check {sender.provider_check}",
        )
    domain, signed = sender.from_domain, sender.settings.dkim.domain.lower()
    try:
        found = find_policy(sender.resolver, domain)
    except InputError as error:
        return CheckResult(CheckStatus.PROBLEM, error.message, "mend the DMARC record first")
    strict = (found[1].strict_spf, found[1].strict_dkim) if found else (False, False)
    spf = aligned(sender.resolver, sender.bounce_domain, domain, strict=strict[0])
    dkim = bool(signed) and aligned(sender.resolver, signed, domain, strict=strict[1])
    seen = f"From {domain}: SPF {sender.bounce_domain} {_is(spf)}, " + (
        f"DKIM {signed} {_is(dkim)}" if signed else "DKIM not signed here"
    )
    return _judge(seen, domain, spf=spf, dkim=dkim, signed=bool(signed))


def find_policy(resolver: Resolver, domain: str) -> tuple[str, DmarcRecord] | None:
    """The record that holds for a domain: its own, or that of the domain it belongs to.

    Raises:
        InputError: It cannot be read, or there are several.
        UnavailableError: DNS does not say.
    """
    own = _record(resolver, domain)
    if own:
        return domain, own
    above = organisation(resolver, domain)
    record = _record(resolver, above)
    return (above, record) if record else None


def organisation(resolver: Resolver, domain: str) -> str:
    """The organisational domain: the topmost with a record, or as ``psd=`` says."""
    names = _upwards(domain)
    top = domain
    for below, name in zip(["", *names], names, strict=False):
        record = _record(resolver, name)
        if record is None:
            continue
        if record.psd == "n":
            return name
        if record.psd == "y":
            return below or name
        top = name
    return top


def aligned(resolver: Resolver, domain: str, from_domain: str, *, strict: bool) -> bool:
    """Whether two domains are the same, or relaxed: of one organisation (section 3.1)."""
    if strict or domain == from_domain:
        return domain == from_domain
    return organisation(resolver, domain) == organisation(resolver, from_domain)


def _upwards(domain: str) -> list[str]:
    labels = domain.split(".")
    starts = range(max(1, len(labels) - _MOST_STEPS + 1), len(labels))
    return [domain, *(".".join(labels[start:]) for start in starts)]


def _record(resolver: Resolver, domain: str) -> DmarcRecord | None:
    found = [text for text in resolver.txt(f"_dmarc.{domain}") if is_dmarc(text)]
    if len(found) > 1:
        raise InputError(f"_dmarc.{domain} has {len(found)} records: receivers then take none")
    try:
        return parse_dmarc(found[0]) if found else None
    except InputError as error:
        raise InputError(f"_dmarc.{domain}: {error.message}") from None


def _judge(seen: str, domain: str, *, spf: bool, dkim: bool, signed: bool) -> CheckResult:
    if spf and dkim:
        return CheckResult(CheckStatus.OK, seen)
    if not spf and not dkim:
        fix = f"sign as {domain} ([dkim] domain), and set bounce_address to an address below it"
        verdict = CheckStatus.PROBLEM if signed else CheckStatus.WARNING
        return CheckResult(verdict, seen, fix if signed else f"have the relay sign as {domain}")
    if not signed:
        return CheckResult(
            CheckStatus.OK, seen, f"have the relay sign as {domain}: SPF ends at forwarders"
        )
    fix = f"sign as {domain}" if spf else f"set bounce_address to an address at or below {domain}"
    return CheckResult(
        CheckStatus.WARNING, seen, f"{fix}: Microsoft wants SPF and DKIM, one is not enough"
    )


def _is(yes: bool) -> str:
    return "aligned" if yes else "not aligned"


def _one_of(tags: dict[str, str], name: str, allowed: set[str], default: str) -> str:
    value = tags.get(name, default).lower()
    if name in tags and value not in allowed:
        raise InputError(f"{name}={tags[name]} is none of {', '.join(sorted(allowed))}")
    return value


def _addresses(text: str) -> tuple[str, ...]:
    found = tuple(uri.strip() for uri in text.split(",") if uri.strip())
    for uri in found:
        if not uri.lower().startswith("mailto:") or "@" not in uri:
            raise InputError(f"rua={uri} is no mailto: address")
    return found


def _publish(domain: str) -> str:
    return f'publish: _dmarc.{domain}. TXT "v=DMARC1; p=none; rua=mailto:dmarc@{domain}"'
