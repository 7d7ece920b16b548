"""SPF: whether the envelope sender's domain lets us send (RFC 7208)."""

from __future__ import annotations

import ipaddress
from typing import TypeVar

from newsletter.dns_checks.model import Address, CheckResult, CheckStatus, SenderProfile
from newsletter.dns_checks.resolver import Resolver
from newsletter.dns_checks.spf_record import SpfRecord, Term, expand, is_spf, parse_spf
from newsletter.errors import InputError

MOST_LOOKUPS = 10
MOST_VOID = 2
"""Both by section 4.6.4."""
_MOST_WALKED = 50
_MOST_NAMES = 10

Found = TypeVar("Found", set[Address], list[str])

_LOOKS_UP = {"include", "a", "mx", "ptr", "exists"}
_ADVICE = {
    "pass": "it lets everybody send as {domain}: end it with -all or ~all",
    "neutral": "it says nothing about other senders: end it with -all or ~all",
}


class SpfWalk:
    """Goes through a record and all that it refers to, past the term that matches.

    A receiver stops at the first match; what an address costs that matches nothing is what a
    receiver may have to pay, so all of it counts here.

    Args:
        resolver: Answers for DNS.
        sender: The envelope sender.
        ip: The sending address; without it only that matches which matches everybody.
    """

    def __init__(self, resolver: Resolver, sender: str, ip: Address | None = None) -> None:
        self._resolver = resolver
        self._sender = sender
        self._ip = ip.ipv4_mapped or ip if isinstance(ip, ipaddress.IPv6Address) else ip
        self._path: list[str] = []
        self.lookups = 0
        self.void = 0
        self.uses_ptr = False

    def walk(self, domain: str) -> str:
        """What the record of a domain says: pass, fail, softfail, neutral; none without a record.

        Raises:
            InputError: Receivers give up on it ("permerror"): why.
            UnavailableError: DNS does not say.
        """
        if domain in self._path:
            raise InputError(f"the record of {domain} includes itself")
        text = one_record(self._resolver, domain)
        if not text:
            return "none"
        self._path.append(domain)
        result = self._evaluate(_parsed(text, domain), domain)
        self._path.pop()
        return result

    def _evaluate(self, record: SpfRecord, domain: str) -> str:
        matching = [term.result for term in record.terms if self._matches(term, domain)]
        if record.redirect:
            self._count()
            target = self._expand(record.redirect, domain)
            redirected = self.walk(target) if target else "neutral"
            if redirected == "none":
                raise InputError(f"redirect={record.redirect} leads to no SPF record")
            matching.append(redirected)
        return matching[0] if matching else "neutral"

    def _matches(self, term: Term, domain: str) -> bool:
        if term.name in _LOOKS_UP:
            self._count()
        if term.name == "all":
            return True
        if term.name in {"ip4", "ip6"}:
            network = ipaddress.ip_network(term.value, strict=False)
            return self._ip in network if self._ip else network.prefixlen == 0
        target = self._expand(term.value or domain, domain)
        return bool(target) and self._found(term, target)

    def _found(self, term: Term, target: str) -> bool:
        if term.name == "include":
            return self._includes(target, term)
        if term.name == "ptr":
            return self._is_named(target)
        hosts = self._hosts(target, term)
        if term.name == "exists":  # asks for IPv4 addresses only, whatever ours is (section 5.7)
            return any(host.version == 4 for host in hosts)
        return self._within(hosts, term)

    def _includes(self, target: str, term: Term) -> bool:
        result = self.walk(target)
        if result == "none":
            raise InputError(f"{term.text} leads to no SPF record")
        return result == "pass"

    def _hosts(self, target: str, term: Term) -> set[Address]:
        if term.name != "mx":
            return self._noted(self._resolver.addresses(target))
        names = [name for name in self._noted(self._resolver.mx(target)) if name]
        if len(names) > _MOST_NAMES:
            raise InputError(f"{term.text} stands for more than {_MOST_NAMES} mail exchangers")
        return {ip for name in names for ip in self._resolver.addresses(name)}

    def _within(self, hosts: set[Address], term: Term) -> bool:
        if self._ip is None:
            return False
        bits = term.prefix[0 if self._ip.version == 4 else 1]
        network = ipaddress.ip_network(f"{self._ip}/{bits}", strict=False)
        return any(host in network for host in hosts)

    def _is_named(self, target: str) -> bool:
        self.uses_ptr = True
        names = self._resolver.ptr(self._ip)[:_MOST_NAMES] if self._ip else []
        return any(
            f".{name}".endswith(f".{target}") and self._ip in self._resolver.addresses(name)
            for name in names
        )

    def _expand(self, text: str, domain: str) -> str:
        if "%" not in text:
            return text.rstrip(".").lower()
        if self._ip is None:
            return ""
        made = expand(text, sender=self._sender, domain=domain, ip=_in_dots(self._ip))
        return made.rstrip(".").lower()

    def _noted(self, found: Found) -> Found:
        self.void += not found
        return found

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > _MOST_WALKED:
            raise InputError(f"it takes more than {_MOST_WALKED} DNS lookups")


def one_record(resolver: Resolver, domain: str) -> str:
    """The SPF record of a domain; empty if it has none.

    Raises:
        InputError: There are several (section 4.5).
    """
    found = [text for text in resolver.txt(domain) if is_spf(text)]
    if len(found) > 1:
        raise InputError(f"{domain} has {len(found)} SPF records: receivers then take none")
    return found[0] if found else ""


def check_record(sender: SenderProfile) -> CheckResult:
    """One record that can be read, within the limits, that does not let everybody send."""
    if sender.provider:
        return _left_to_provider(sender)
    domain = sender.bounce_domain
    walk = SpfWalk(sender.resolver, sender.envelope_sender)
    try:
        everybody = walk.walk(domain)
    except InputError as error:
        return CheckResult(
            CheckStatus.PROBLEM, error.message, "mend it: receivers make nothing of it"
        )
    if everybody == "none":
        return CheckResult(CheckStatus.PROBLEM, f"{domain} has no SPF record", _publish(sender))
    return _judge(one_record(sender.resolver, domain), walk, everybody, domain)


def check_address(sender: SenderProfile) -> CheckResult:
    """The sending address passes."""
    if sender.provider:
        return _left_to_provider(sender)
    if sender.ip is None:
        return CheckResult(
            CheckStatus.SKIPPED, "the sending address is not known", "give it with --ip"
        )
    try:
        walk = SpfWalk(sender.resolver, sender.envelope_sender, sender.ip)
        result = walk.walk(sender.bounce_domain)
    except InputError as error:
        return CheckResult(
            CheckStatus.PROBLEM, f"permerror: {error.message}", "mend the SPF record first"
        )
    seen = f"{sender.ip} as {sender.bounce_domain}: {result}"
    if result == "pass":
        return CheckResult(CheckStatus.OK, seen)
    return CheckResult(CheckStatus.PROBLEM, seen, f"add {_mechanism(sender.ip)} to the SPF record")


def _judge(text: str, walk: SpfWalk, everybody: str, domain: str) -> CheckResult:
    cost = f"{walk.lookups} of {MOST_LOOKUPS} lookups, {walk.void} of {MOST_VOID} without an answer"
    seen = f"{text} ({cost})"
    if walk.lookups > MOST_LOOKUPS or walk.void > MOST_VOID:
        fix = "receivers give up at the limit (RFC 7208, 4.6.4): take out what is no longer used"
        return CheckResult(CheckStatus.PROBLEM, seen, fix)
    if everybody in _ADVICE:
        return CheckResult(CheckStatus.WARNING, seen, _ADVICE[everybody].format(domain=domain))
    if walk.uses_ptr:
        fix = "ptr is not to be used (RFC 7208, 5.5): name addresses with ip4, ip6 or a"
        return CheckResult(CheckStatus.WARNING, seen, fix)
    return CheckResult(CheckStatus.OK, seen)


def _parsed(text: str, domain: str) -> SpfRecord:
    try:
        return parse_spf(text)
    except InputError as error:
        raise InputError(f"the record of {domain}: {error.message}") from None


def _publish(sender: SenderProfile) -> str:
    mechanism = _mechanism(sender.ip) if sender.ip else "include:THE-DOMAIN-YOUR-RELAY-NAMES"
    return f'publish: {sender.bounce_domain}. TXT "v=spf1 {mechanism} -all"'


def _mechanism(ip: Address) -> str:
    return f"ip{ip.version}:{ip}"


def _in_dots(ip: Address) -> str:
    return str(ip) if ip.version == 4 else ".".join(ip.exploded.replace(":", ""))


def _left_to_provider(sender: SenderProfile) -> CheckResult:
    seen = f"the envelope sender is {sender.provider}'s: see the check {sender.provider_check}"
    return CheckResult(CheckStatus.SKIPPED, seen)
