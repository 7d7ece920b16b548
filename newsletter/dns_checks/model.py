"""What the doctor looks at, and what it says: the values that `doctor` owns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

from newsletter.dns_checks.domains import ascii_domain
from newsletter.dns_checks.resolver import Resolver
from newsletter.settings.model import Settings

Address = IPv4Address | IPv6Address


class CheckStatus(StrEnum):
    """How something stands."""

    OK = "ok"
    WARNING = "warning"
    """Works, and should be better."""
    PROBLEM = "problem"
    """Mail will be refused, or readers cannot leave."""
    UNKNOWN = "unknown"
    """Could not be looked at: never taken for good."""
    SKIPPED = "skipped"
    """Nothing to look at with these settings and options; ``seen`` says why."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How one thing stands: what was seen, and the next step where one is needed."""

    verdict: CheckStatus
    seen: str
    fix: str = ""


@dataclass(frozen=True)
class SenderProfile:
    """Who sends, as the outside world sees it.

    Args:
        settings: The publication.
        resolver: Answers for DNS.
        proof_token: For the unsubscribe address: it verifies, and changes nothing.
        ip: The address from which mail reaches other servers, if known.
        helo: The name by which the sending server greets others, if known.
        provider: The service that chooses envelope sender, signature and sending address for
            us, such as ``SendGrid``; empty where our own relay does. A check of its own, under
            its name in lower case, looks at it.
    """

    settings: Settings
    resolver: Resolver
    proof_token: str
    ip: Address | None = None
    helo: str = ""
    provider: str = ""

    @property
    def from_domain(self) -> str:
        """The domain of the From address, in ASCII and lower case."""
        return _domain(self.settings.publication.from_address)

    @property
    def envelope_sender(self) -> str:
        """Where bounces go, without the token of each message."""
        return self.settings.bounce_address or self.settings.publication.from_address

    @property
    def bounce_domain(self) -> str:
        """The domain whose SPF record counts (RFC 7208 section 2.4)."""
        return _domain(self.envelope_sender)

    @property
    def provider_check(self) -> str:
        """The name of the provider's own check."""
        return self.provider.lower()


def _domain(address: str) -> str:
    return ascii_domain(address).rpartition("@")[2].lower()
