"""A publication with a correct setup, and its DNS zone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

from newsletter.dns_checks.model import CheckResult, SenderProfile
from newsletter.dns_checks.resolver import Resolver
from newsletter.doctor.checks import run_checks
from newsletter.settings.model import Publication, Settings
from newsletter.transports.registry import transport_kind
from tests.support.dns_server import DnsServer, Fault, dns_server

IP = "192.0.2.25"
FROM, BOUNCES = "clinic.example", "bounces.clinic.example"
ZONE = {
    "clinic.example MX": "10 mail.clinic.example",
    "mail.clinic.example A": IP,
    "bounces.clinic.example MX": "10 mail.clinic.example",
    "bounces.clinic.example TXT": f'"v=spf1 ip4:{IP} -all"',
    "_dmarc.clinic.example TXT": '"v=DMARC1; p=reject; rua=mailto:dmarc@clinic.example"',
    "25.2.0.192.in-addr.arpa PTR": "mail.clinic.example",
}


def zone_text(zone: Mapping[str, str]) -> str:
    """A zone file from a mapping of "name TYPE" to data, with one record per line of the data."""
    return "\n".join(f"{key} {line}" for key, data in zone.items() for line in data.splitlines())


def settings(**changed: Any) -> Settings:
    publication = Publication(
        name="N",
        from_name="N",
        from_address=f"news@{FROM}",
        list_id="news.clinic.example",
        public_url=changed.pop("public_url", "http://127.0.0.1:8025"),
        postal_address="1 Street",
    )
    given = {"transport": "smtp", "bounce_address": f"b@{BOUNCES}", **changed}
    return Settings(publication=publication, **given)


@contextmanager
def sending(
    changes: Mapping[str, str] | None = None,
    *,
    faults: Mapping[str, Fault] | None = None,
    ip: str = IP,
    helo: str = "",
    zone: Mapping[str, str] = ZONE,
    **changed: Any,
) -> Iterator[tuple[SenderProfile, DnsServer]]:
    """A sender whose zone differs by ``changes``; an empty value removes a record."""
    merged = {key: data for key, data in {**zone, **(changes or {})}.items() if data}
    with dns_server(zone_text(merged), faults) as server:
        address = ip_address(ip) if ip else None
        known = settings(**changed)
        provider = transport_kind(known).provider
        resolver = Resolver(server.address)
        sender = SenderProfile(known, resolver, "proof", address, helo, provider)
        yield sender, server


def findings(changes: Mapping[str, str] | None = None, **options: Any) -> dict[str, CheckResult]:
    """The results for a sender whose zone differs by ``changes``."""
    with sending(changes, **options) as (sender, _):
        return run_checks(sender)
