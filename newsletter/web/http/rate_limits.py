"""Who counts as one visitor, and how many forms a visitor may send."""

from __future__ import annotations

import ipaddress

from newsletter.transactional.limits import Limit

FORM_BY_NETWORK = Limit("form", 10, 120.0)
"""Forms sent from one IPv4 address or IPv6 network."""


def network_of(address: str) -> str:
    """What a visitor cannot change at will: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
