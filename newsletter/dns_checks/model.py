"""What the checks of a sender look at, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

from newsletter.dns_checks.domains import ascii_domain
from newsletter.dns_checks.resolver import Resolver
from newsletter.settings.model import Settings

Address = IPv4Address | IPv6Address


class CheckStatus(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    """It works, but should be improved."""
    PROBLEM = "problem"
    """Mail will be refused, or subscribers cannot unsubscribe."""
    UNKNOWN = "unknown"
    """It could not be checked, which is never taken as fine."""
    SKIPPED = "skipped"
    """Nothing to check with these settings and options; ``seen`` says why."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found: the result, what was seen, and the next step if one is needed."""

    verdict: CheckStatus
    seen: str
    fix: str = ""


@dataclass(frozen=True)
class SenderProfile:
    """The sender, as other servers see it.

    Args:
        settings: The publication.
        resolver: Answers DNS lookups.
        proof_token: For the unsubscribe URL: it verifies, and changes nothing.
        ip: The address from which mail reaches other servers, if known.
        helo: The name by which the sending server introduces itself, if known.
        provider: The service that chooses envelope sender, signature and sending address for
            us, such as ``SendGrid``; empty where our own relay does. It has its own check, under
            its name in lower case.
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
        # As the composer does: without a bounce address, bounces go to the From address.
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
