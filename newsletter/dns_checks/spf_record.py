"""Parsing SPF records (RFC 7208 sections 4.6.1 and 12)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote

from newsletter.errors import InputError

RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}

_TERM = re.compile(
    r"([+?~-]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?::([^\s]*?))?"
    r"((?:/(?:0|[1-9]\d{0,2}))?(?://(?:0|[1-9]\d{0,2}))?)",
    flags=re.IGNORECASE | re.ASCII,
)
_DOMAIN = re.compile(
    r"[!-~]*(?:\.(?=[A-Za-z0-9-]*[A-Za-z-])[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?"
    r"|%\{[^}]*\}|%[%_-])"
)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(\S*)", flags=re.ASCII)
_MACRO = re.compile(r"%(?:\{([A-Za-z])(\d*)(r?)([.\-+,/_=]*)\}|([%_-]))", flags=re.IGNORECASE)
_PADDED = re.compile(r"/0\d")
_PLAIN = {"%": "%", "_": " ", "-": "%20"}


@dataclass(frozen=True, slots=True)
class Term:
    """A mechanism: ``prefix`` is the length of the network's prefix, for IPv4 and for IPv6."""

    result: str
    name: str
    value: str
    prefix: tuple[int, int]
    text: str


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """The mechanisms up to ``all``, and the domain to go on with if none of them matches."""

    terms: tuple[Term, ...]
    redirect: str


def is_spf(text: str) -> bool:
    """Whether a TXT record is an SPF record (section 4.5)."""
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def parse_spf(text: str) -> SpfRecord:
    """Read a record that `is_spf`.

    Raises:
        InputError: Receivers cannot use it ("permerror"); the message names the part.
    """
    if not text.isascii():
        raise InputError("it contains non-ASCII characters")
    terms: list[Term] = []
    modifiers: dict[str, str] = {}
    for word in text.split(" ")[1:]:
        if not word:
            continue
        if modifier := _MODIFIER.fullmatch(word):
            name = modifier[1].lower()
            if name in modifiers and name in {"redirect", "exp"}:
                raise InputError(f"{name}= appears twice")
            modifiers[name] = modifier[2]
            # Unknown modifiers are ignored, but their macros have to be valid (section 6).
            _require_macros(modifier[2], word)
            if name in {"redirect", "exp"}:
                _require_domain(modifier[2], word)
        else:
            terms.append(_term(word))
    # Nothing after "all" counts (section 5.1), a redirect included (section 6.1).
    ends = next((n for n, term in enumerate(terms, 1) if term.name == "all"), None)
    return SpfRecord(tuple(terms[:ends]), "" if ends else modifiers.get("redirect", ""))


def expand(text: str, *, sender: str, domain: str, ip: str) -> str:
    """Replace the macros of a domain by their values (section 7).

    Args:
        sender: The envelope sender.
        domain: The domain of the record.
        ip: The sending address, dotted as in section 7.3.

    Raises:
        InputError: A ``%`` does not start a macro that is allowed in a domain.
    """
    local, _, at = sender.rpartition("@")
    # "p" stays unknown: it takes extra lookups, and section 7.3 advises against it.
    values = {"s": sender, "l": local, "o": at, "d": domain, "h": domain, "i": ip, "p": "unknown"}
    values["v"] = "ip6" if ip.count(".") > 3 else "in-addr"

    def value(found: re.Match[str]) -> str:
        letter, digits, backwards, delimiters, plain = found.groups()
        if plain:
            return _PLAIN[plain]
        if letter.lower() not in values or digits == "0":
            raise InputError(f"{found[0]} is not a macro for domains")
        parts = re.split(f"[{re.escape(delimiters or '.')}]", values[letter.lower()])
        parts = parts[::-1] if backwards else parts
        made = ".".join(parts[-int(digits) :] if digits else parts)
        return quote(made, safe="") if letter.isupper() else made

    if "%" in _MACRO.sub("", text):
        raise InputError(f"{text!r} has a % that does not start a macro")
    return _MACRO.sub(value, text)


def _term(word: str) -> Term:
    found = _TERM.fullmatch(word)
    if not found:
        raise InputError(f"{word!r} is not an SPF mechanism")
    sign, name, value, cidr = found[1] or "+", found[2].lower(), found[3], found[4]
    if name in {"ip4", "ip6"}:
        text = f"{value or ''}{cidr}"
        try:
            if _PADDED.search(text):
                raise ValueError(text)
            (ipaddress.IPv4Network if name == "ip4" else ipaddress.IPv6Network)(text, strict=False)
        except ValueError:
            raise InputError(f"{word!r} is not an {name} address or network") from None
        return Term(RESULTS[sign], name, text, (32, 128), word)
    if value == "" or (name in {"include", "exists"} and not value):
        raise InputError(f"{word!r}: the domain is missing")
    if name == "all" and value is not None:
        raise InputError(f"{word!r}: all takes no domain")
    if value:
        _require_macros(value, word)
        _require_domain(value, word)
    if cidr and name not in {"a", "mx"}:
        raise InputError(f"{word!r}: {name} takes no prefix length")
    four, _, six = cidr.partition("//")
    prefix = int(four.strip("/") or 32), int(six or 128)
    if prefix[0] > 32 or prefix[1] > 128:
        raise InputError(f"{word!r}: the prefix length is out of range")
    return Term(RESULTS[sign], name, value or "", prefix, word)


def _require_domain(text: str, word: str) -> None:
    if not _DOMAIN.fullmatch(text):
        raise InputError(f"{word!r} does not name a domain")


def _require_macros(text: str, word: str) -> None:
    try:
        expand(text, sender="a@b.invalid", domain="b.invalid", ip="192.0.2.1")
    except InputError as error:
        raise InputError(f"{word!r}: {error.message}") from None
