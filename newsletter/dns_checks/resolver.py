"""DNS questions. "There is none" is an answer; a failure is not."""

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
"""For one try at one server."""
LIFETIME_S = 5.0
"""For all tries of one question."""
_EDNS_PAYLOAD = 1232


class Resolver:
    """Asks DNS and keeps the answers. Cut-off answers are asked for again over TCP.

    Args:
        nameserver: ``HOST`` or ``HOST:PORT`` with an IP literal; empty: the system's own.

    Raises:
        UsageError: The nameserver is written wrongly.
        UnavailableError: The system has no nameserver.
    """

    def __init__(self, nameserver: str = "") -> None:
        self._system = not nameserver
        self._stub = _named(nameserver) if nameserver else _configured()
        self._stub.timeout, self._stub.lifetime = TIMEOUT_S, LIFETIME_S
        self._stub.use_edns(0, 0, _EDNS_PAYLOAD)
        self._known: dict[tuple[str, str], tuple[Any, ...] | UnavailableError] = {}

    def txt(self, name: str) -> list[str]:
        """TXT records, the strings of each joined without a space (RFC 7208 section 3.3)."""
        return [b"".join(data.strings).decode("latin-1") for data in self._ask(name, "TXT")]

    def addresses(self, name: str) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
        """IPv4 and IPv6 addresses."""
        found = self._ask(name, "A") + self._ask(name, "AAAA")
        return {ipaddress.ip_address(data.address) for data in found}

    def mx(self, name: str) -> list[str]:
        """Mail exchangers, best first; the root's name is ``""`` (RFC 7505: takes no mail)."""
        found = sorted(self._ask(name, "MX"), key=lambda data: data.preference)
        return [_text(data.exchange) for data in found]

    def ptr(self, ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[str]:
        """The names of an address."""
        name = dns.reversename.from_address(str(ip)).to_text()
        return [_text(data.target) for data in self._ask(name, "PTR")]

    def cname(self, name: str) -> str:
        """What a name is an alias of; empty where it is none."""
        return next((_text(data.target) for data in self._ask(name, "CNAME")), "")

    def require_checkable(self, name: str) -> None:
        """Refuse names of which the world's DNS knows nothing, unless a nameserver was named.

        Raises:
            UnavailableError: The name is this machine's, or reserved for examples (RFC 2606).
        """
        if not self._system:
            return
        if is_loopback(name):
            what = "this machine alone"
        elif name.rstrip(".").rpartition(".")[2].lower() in RESERVED_TLDS:
            what = "a name for examples (RFC 2606)"
        else:
            return
        raise UnavailableError(
            f"{name} is {what}: nothing about it can be checked",
            fix="put your own domain into newsletter.toml",
        )

    def _ask(self, name: str, kind: str) -> tuple[Any, ...]:
        self.require_checkable(name)
        key = (name.lower(), kind)
        if key not in self._known:
            self._known[key] = self._answer(name, kind)
        answer = self._known[key]
        if isinstance(answer, UnavailableError):
            raise answer
        return answer

    def _answer(self, name: str, kind: str) -> tuple[Any, ...] | UnavailableError:
        try:
            absolute = dns.name.from_text(name)
            return tuple(self._stub.resolve(absolute, kind, search=False))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return ()
        except (dns.exception.FormError, dns.exception.SyntaxError, dns.name.IDNAException):
            return ()  # what cannot be a name has no records
        except (dns.exception.DNSException, OSError) as error:
            return UnavailableError(
                f"DNS does not say: {kind} of {name} ({_reason(error)})",
                fix="try again; if it stays, ask whoever runs the domain's nameservers",
            )


def _named(nameserver: str) -> dns.resolver.Resolver:
    try:
        bare = f"[{nameserver}]" if nameserver.count(":") > 1 and "[" not in nameserver else ""
        parts = urlsplit(f"//{bare or nameserver}")
        host, port = str(ipaddress.ip_address(parts.hostname or "")), parts.port or 53
    except ValueError:
        raise UsageError(
            f"{nameserver!r} is no nameserver",
            fix="an IP address and perhaps a port: 9.9.9.9 or 127.0.0.1:5353",
        ) from None
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [host], port
    return resolver


def _configured() -> dns.resolver.Resolver:
    try:
        return dns.resolver.Resolver()
    except dns.resolver.NoResolverConfiguration:
        raise UnavailableError(
            "this machine has no nameserver", fix="name one with --nameserver"
        ) from None


def _reason(error: Exception) -> str:
    if isinstance(error, dns.resolver.NoNameservers):
        return "the nameserver answers with a failure"
    if isinstance(error, dns.exception.Timeout):
        return "no answer in time"
    return type(error).__name__


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).rstrip(".").lower()
