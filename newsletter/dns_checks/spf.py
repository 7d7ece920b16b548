"""SPF: whether the envelope sender's domain lets us send (RFC 7208)."""

from __future__ import annotations

import ipaddress
from typing import TypeVar

from newsletter.dns_checks.model import Address, CheckResult, CheckStatus, SenderProfile
from newsletter.dns_checks.resolver import Resolver
from newsletter.dns_checks.spf_record import Term, expand, is_spf, parse_spf
from newsletter.errors import InputError

MAX_LOOKUPS = 10
MAX_VOID_LOOKUPS = 2
"""Both by section 4.6.4."""
_MAX_WALKED = 50
"""Where we stop: far enough past the limit to tell by how much it is exceeded."""
_MAX_NAMES = 10
"""Names of one MX or PTR lookup (section 4.6.4)."""

Found = TypeVar("Found", set[Address], list[str])

_FIX_ALL = {
    "pass": "end it with -all or ~all: it lets everybody send as {domain}",
    "neutral": "end it with -all or ~all: it says nothing about other senders",
}


class SpfWalk:
    """Evaluates a record and all records that it refers to, past the first match.

    Args:
        resolver: Answers DNS lookups.
        sender: The envelope sender.
        ip: The sending address; without it, only terms match that match every address.
    """

    def __init__(self, resolver: Resolver, sender: str, ip: Address | None = None) -> None:
        self._resolver = resolver
        self._sender = sender
        # An IPv4-mapped address is an IPv4 address (section 5).
        self._ip = ip.ipv4_mapped or ip if isinstance(ip, ipaddress.IPv6Address) else ip
        self._path: list[str] = []
        self.lookups = 0
        self.void = 0
        self.uses_ptr = False

    def walk(self, domain: str) -> str:
        """The result for a domain: pass, fail, softfail or neutral; none without a record.

        Raises:
            InputError: The result is "permerror"; the message says why.
            UnavailableError: A DNS lookup failed.
        """
        # Receivers would go around in circles up to their limit, and then give up.
        if domain in self._path:
            raise InputError(f"the record of {domain} includes itself")
        text = one_record(self._resolver, domain)
        if not text:
            return "none"
        try:
            record = parse_spf(text)
        except InputError as error:
            raise InputError(f"the record of {domain}: {error.message}") from None
        self._path.append(domain)
        # A receiver stops at the first match. Every term is evaluated here, because an address
        # that matches none costs the receiver all the lookups.
        matching = [term.result for term in record.terms if self._matches(term, domain)]
        if record.redirect:
            self._count()
            target = self._expand(record.redirect, domain)
            redirected = self.walk(target) if target else "neutral"
            if redirected == "none":
                raise InputError(f"redirect={record.redirect} names a domain with no SPF record")
            matching.append(redirected)
        self._path.pop()
        return matching[0] if matching else "neutral"

    def _matches(self, term: Term, domain: str) -> bool:
        if term.name == "all":
            return True
        if term.name in {"ip4", "ip6"}:
            network = ipaddress.ip_network(term.value, strict=False)
            return self._ip in network if self._ip else network.prefixlen == 0
        self._count()
        target = self._expand(term.value or domain, domain)
        if not target:
            return False
        if term.name == "include":
            result = self.walk(target)
            if result == "none":
                raise InputError(f"{term.text} names a domain with no SPF record")
            return result == "pass"
        if term.name == "ptr":
            self.uses_ptr = True
            names = self._resolver.ptr(self._ip)[:_MAX_NAMES] if self._ip else []
            return any(
                f".{name}".endswith(f".{target}") and self._ip in self._resolver.addresses(name)
                for name in names
            )
        return self._has_our_address(term, target)

    def _has_our_address(self, term: Term, target: str) -> bool:
        """Whether a host that an ``a``, ``mx`` or ``exists`` term names has the sending address."""
        if term.name == "mx":
            names = [name for name in self._noted(self._resolver.mx(target)) if name]
            if len(names) > _MAX_NAMES:
                raise InputError(f"{term.text} has more than {_MAX_NAMES} mail exchangers")
            hosts = {ip for name in names for ip in self._resolver.addresses(name)}
        else:
            hosts = self._noted(self._resolver.addresses(target))
        if term.name == "exists":
            # It asks for IPv4 addresses only, whatever the sending address is (section 5.7).
            return any(host.version == 4 for host in hosts)
        if self._ip is None:
            return False
        bits = term.prefix[0 if self._ip.version == 4 else 1]
        network = ipaddress.ip_network(f"{self._ip}/{bits}", strict=False)
        return any(host in network for host in hosts)

    def _expand(self, text: str, domain: str) -> str:
        """A domain without its macros; empty where they need an address that is not known."""
        if "%" not in text:
            return text.rstrip(".").lower()
        if self._ip is None:
            return ""
        # An IPv6 address is written nibble by nibble (section 7.3).
        nibbles = ".".join(self._ip.exploded.replace(":", ""))
        dotted = str(self._ip) if self._ip.version == 4 else nibbles
        return expand(text, sender=self._sender, domain=domain, ip=dotted).rstrip(".").lower()

    def _noted(self, found: Found) -> Found:
        self.void += not found
        return found

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > _MAX_WALKED:
            raise InputError(f"it needs more than {_MAX_WALKED} DNS lookups")


def one_record(resolver: Resolver, domain: str) -> str:
    """The SPF record of a domain; empty if it has none.

    Raises:
        InputError: There are several (section 4.5).
    """
    found = [text for text in resolver.txt(domain) if is_spf(text)]
    if len(found) > 1:
        raise InputError(f"{domain} has {len(found)} SPF records: receivers then use none")
    return found[0] if found else ""


def check_record(sender: SenderProfile) -> CheckResult:
    """The bounce domain has one valid record, within the limits, that restricts who may send."""
    if sender.provider:
        return _left_to_provider(sender)
    domain = sender.bounce_domain
    walk = SpfWalk(sender.resolver, sender.envelope_sender)
    try:
        everybody = walk.walk(domain)
    except InputError as error:
        fix = "fix the record: receivers cannot use it"
        return CheckResult(CheckStatus.PROBLEM, error.message, fix)
    if everybody == "none":
        mechanism = _mechanism(sender.ip) if sender.ip else "include:THE-DOMAIN-YOUR-RELAY-NAMES"
        publish = f'publish: {domain}. TXT "v=spf1 {mechanism} -all"'
        return CheckResult(CheckStatus.PROBLEM, f"{domain} has no SPF record", publish)
    seen = (
        f"{one_record(sender.resolver, domain)} ({walk.lookups} of {MAX_LOOKUPS} DNS lookups, "
        f"{walk.void} of {MAX_VOID_LOOKUPS} without an answer)"
    )
    status, fix = CheckStatus.OK, ""
    if walk.lookups > MAX_LOOKUPS or walk.void > MAX_VOID_LOOKUPS:
        status = CheckStatus.PROBLEM
        fix = "remove what is no longer used: receivers stop at the limit (RFC 7208, 4.6.4)"
    elif everybody in _FIX_ALL:
        status, fix = CheckStatus.WARNING, _FIX_ALL[everybody].format(domain=domain)
    elif walk.uses_ptr:
        status = CheckStatus.WARNING
        fix = "replace ptr with ip4, ip6 or a: RFC 7208, 5.5 advises against it"
    return CheckResult(status, seen, fix)


def check_address(sender: SenderProfile) -> CheckResult:
    """The sending address passes."""
    if sender.provider:
        return _left_to_provider(sender)
    if sender.ip is None:
        return CheckResult(
            CheckStatus.SKIPPED, "the sending address is not known", "use --ip ADDRESS"
        )
    try:
        walk = SpfWalk(sender.resolver, sender.envelope_sender, sender.ip)
        result = walk.walk(sender.bounce_domain)
    except InputError as error:
        fix = "fix the SPF record first"
        return CheckResult(CheckStatus.PROBLEM, f"permerror: {error.message}", fix)
    seen = f"{sender.ip} as {sender.bounce_domain}: {result}"
    if result == "pass":
        return CheckResult(CheckStatus.OK, seen)
    return CheckResult(CheckStatus.PROBLEM, seen, f"add {_mechanism(sender.ip)} to the SPF record")


def _mechanism(ip: Address) -> str:
    return f"ip{ip.version}:{ip}"


def _left_to_provider(sender: SenderProfile) -> CheckResult:
    seen = f"the envelope sender is {sender.provider}'s: see the check {sender.provider_check}"
    return CheckResult(CheckStatus.SKIPPED, seen)
