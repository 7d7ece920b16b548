"""Decides whether a host is this machine itself, for everything that treats loopback specially."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether a host name or IP literal means this machine (RFC 6761 section 6.3, RFC 4291)."""
    name = host.strip("[]").casefold()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        # No other name is looked up: what it resolves to now may be another machine later.
        return name == "localhost" or name.endswith(".localhost")


def is_loopback_url(url: str) -> bool:
    """Whether a URL leads to this machine only."""
    return is_loopback(urlsplit(url).hostname or "")
