"""DNS lookups. "There is no such record" is an answer; a failure is not."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
import dns.reversename

from newsletter.dns_checks.domains import RESERVED_TLDS
from newsletter.errors import UnavailableError, UsageError
from newsletter.loopback import is_loopback

TIMEOUT_S = 2.0
"""For one try with one server."""
LIFETIME_S = 5.0
"""For all tries of one lookup."""
_EDNS_PAYLOAD = 1232
"""Bytes of an answer over UDP that common networks do not fragment (DNS flag day 2020)."""


class Resolver:
    """Asks DNS, and caches answers and failures. Truncated answers are asked for over TCP.

    Args:
        nameserver: ``HOST`` or ``HOST:PORT`` with an IP literal; empty: the system's own.

    Raises:
        UsageError: The nameserver is invalid.
        UnavailableError: The system has no nameserver.
    """

    def __init__(self, nameserver: str = "") -> None:
        self._system = not nameserver
        if nameserver:
            self._stub = _named(nameserver)
        else:
            try:
                self._stub = dns.resolver.Resolver()
            except dns.resolver.NoResolverConfiguration:
                raise UnavailableError(
                    "this machine has no nameserver", fix="use --nameserver ADDRESS"
                ) from None
        self._stub.timeout, self._stub.lifetime = TIMEOUT_S, LIFETIME_S
        # EDNS: without it, answers over 512 bytes, such as DKIM keys, need TCP.
        self._stub.use_edns(0, 0, _EDNS_PAYLOAD)
        self._known: dict[tuple[str, str], tuple[Any, ...] | UnavailableError] = {}

    def txt(self, name: str) -> list[str]:
        """TXT records, the strings of each joined without spaces (RFC 7208 section 3.3)."""
        # Latin-1, because a TXT record may hold any bytes.
        return [b"".join(data.strings).decode("latin-1") for data in self._ask(name, "TXT")]

    def addresses(self, name: str) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
        """IPv4 and IPv6 addresses."""
        found = self._ask(name, "A") + self._ask(name, "AAAA")
        return {ipaddress.ip_address(data.address) for data in found}

    def mx(self, name: str) -> list[str]:
        """Mail exchangers, by preference; the root is ``""`` (RFC 7505: accepts no mail)."""
        found = sorted(self._ask(name, "MX"), key=lambda data: data.preference)
        return [_text(data.exchange) for data in found]

    def ptr(self, ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[str]:
        """The names of an address."""
        name = dns.reversename.from_address(str(ip)).to_text()
        return [_text(data.target) for data in self._ask(name, "PTR")]

    def cname(self, name: str) -> str:
        """The name that a name is an alias of; empty if it is not an alias."""
        return next((_text(data.target) for data in self._ask(name, "CNAME")), "")

    def require_checkable(self, name: str) -> None:
        """Refuse names that public DNS does not know, unless a nameserver was given.

        Raises:
            UnavailableError: The name is this machine, or reserved for examples (RFC 2606).
        """
        if not self._system:
            return
        if is_loopback(name):
            what = "this machine"
        elif name.rstrip(".").rpartition(".")[2].lower() in RESERVED_TLDS:
            what = "reserved for examples (RFC 2606)"
        else:
            return
        raise UnavailableError(
            f"{name} is {what}: receivers cannot look it up",
            fix="use your own domain in newsletter.toml",
        )

    def _ask(self, name: str, kind: str) -> tuple[Any, ...]:
        self.require_checkable(name)
        key = (name.lower(), kind)
        answer = self._known.get(key)
        if answer is None:
            try:
                # Without the system's search domains, which receivers do not have.
                absolute = dns.name.from_text(name)
                answer = tuple(self._stub.resolve(absolute, kind, search=False))
            except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
                answer = ()
            except (dns.exception.FormError, dns.exception.SyntaxError, dns.name.IDNAException):
                answer = ()  # what cannot be a name has no records
            except (dns.exception.DNSException, OSError) as error:
                reason = type(error).__name__
                if isinstance(error, dns.resolver.NoNameservers):
                    reason = "the nameserver reports a failure"
                elif isinstance(error, dns.exception.Timeout):
                    reason = "timed out"
                answer = UnavailableError(
                    f"DNS lookup failed: {kind} of {name} ({reason})",
                    fix="try again; if it keeps failing, ask the operator of its nameservers",
                )
            self._known[key] = answer
        # Failures are kept, too: each would cost the other checks `LIFETIME_S` again.
        if isinstance(answer, UnavailableError):
            raise answer
        return answer


def _named(nameserver: str) -> dns.resolver.Resolver:
    try:
        # An IPv6 address needs brackets before a port can be told from it.
        bare = f"[{nameserver}]" if nameserver.count(":") > 1 and "[" not in nameserver else ""
        parts = urlsplit(f"//{bare or nameserver}")
        host, port = str(ipaddress.ip_address(parts.hostname or "")), parts.port or 53
    except ValueError:
        raise UsageError(
            f"{nameserver!r} is not a nameserver",
            fix="use an IP address, with a port if needed: 9.9.9.9 or 127.0.0.1:5353",
        ) from None
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [host], port
    return resolver


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).rstrip(".").lower()
