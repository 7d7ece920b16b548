"""Links: they must lead somewhere, safely, and say where."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from urllib.parse import SplitResult, unquote, urlsplit

from newsletter.check.lint_context import LintContext
from newsletter.check.model import Severity
from newsletter.check.rendered_mail import Link
from newsletter.check.rule import ALL_MAIL, Problem, rule
from newsletter.check.wordlists import SHORTENERS, VAGUE
from newsletter.loopback import is_loopback
from newsletter.render.model import SlotKind

SCHEMES = frozenset({"http", "https", "mailto", "tel"})
PERSONAL = re.compile(
    r"e?_?mail|name|phone|mobile|address|street|zip|postcode|birth|age$|gender|sex$|diagnos"
    r"|condition|patient|health|ssn",
    re.IGNORECASE,
)
"""Merge fields that say who a reader is, or how they are."""

_RESERVED = (".example", ".invalid", ".test", "example.com", "example.net", "example.org")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.\w+")
_IN_URL = re.compile(r"(?:https?://|mailto:)[^\s<>)\"']*$")
_MERGE = re.compile(r"\{\{.*?\}\}")


@rule("links/empty", Severity.BLOCKER, applies_to=ALL_MAIL)
def empty(case: LintContext) -> Iterator[Problem]:
    """A link to nothing."""
    for link in _links(case):
        if link.href in {"", "#"}:
            yield from _hits(case, link, f"“{link.text}” links to nothing", "give it an address")


@rule("links/relative", Severity.BLOCKER, applies_to=ALL_MAIL)
def relative(case: LintContext) -> Iterator[Problem]:
    """An address that means something on a web page only: a mail has no folder to start from."""
    for link in _links(case):
        parts = split_url(link.href)
        if link.href.startswith("#"):
            if link.href != "#" and not any(link.href[1:] in r.names for r in case.readings):
                yield from _hits(
                    case,
                    link,
                    f"nothing in the mail is named {link.href}",
                    "most mail programs have no links within a mail: leave it out",
                )
        elif link.href and parts and not parts.scheme:
            yield from _hits(
                case, link, f"{link.href} is no whole address", "write it with https:// and host"
            )


@rule("links/scheme", Severity.BLOCKER, applies_to=ALL_MAIL)
def scheme(case: LintContext) -> Iterator[Problem]:
    """An address that mail programs refuse or that runs something, like ``javascript:``."""
    for link in _links(case):
        parts = split_url(link.href)
        if parts is None or (parts.scheme and not _leads_somewhere(parts)):
            yield from _hits(
                case, link, f"{link.href} is no web address", "use https, mailto or tel"
            )


@rule("links/insecure", Severity.WARNING, applies_to=ALL_MAIL)
def insecure(case: LintContext) -> Iterator[Problem]:
    """A plain http address: anyone on the way can read and change the page."""
    yield from _by_host(
        case,
        lambda parts: parts.scheme == "http" and not _is_here(parts),
        "{href} is not encrypted",
        "use its https address",
    )


@rule("links/local", Severity.BLOCKER, applies_to=ALL_MAIL)
def local(case: LintContext) -> Iterator[Problem]:
    """An address that only exists on the writer's machine or network."""
    yield from _by_host(
        case,
        _is_here,
        "{href} leads to the reader's own machine or network",
        "use the public address",
    )


@rule("links/bare-ip", Severity.WARNING, applies_to=ALL_MAIL)
def bare_ip(case: LintContext) -> Iterator[Problem]:
    """A number for a host: spam filters count it against the mail."""
    yield from _by_host(
        case,
        lambda parts: _ip(parts) is not None and not _is_here(parts),
        "{href} names its host by a number",
        "use the host's name",
    )


@rule("links/shortener", Severity.WARNING, applies_to=ALL_MAIL)
def shortener(case: LintContext) -> Iterator[Problem]:
    """A shortened address hides where it leads, from readers and spam filters alike."""
    yield from _by_host(
        case,
        lambda parts: (parts.hostname or "").removeprefix("www.") in SHORTENERS,
        "{href} hides where it leads",
        "use the whole address",
    )


@rule("links/example-domain", Severity.WARNING, live=True)
def example_domain(case: LintContext) -> Iterator[Problem]:
    """An address on a reserved domain (RFC 2606) leads nowhere."""
    yield from _by_host(
        case,
        lambda parts: f".{parts.hostname}".endswith(_RESERVED),
        "{href} is a sample address",
        "use the real one",
    )


@rule("links/vague-text", Severity.WARNING, applies_to=ALL_MAIL)
def vague_text(case: LintContext) -> Iterator[Problem]:
    """Words that say nothing when a screen reader lists the links (WCAG 2.4.4)."""
    for link in _links(case):
        if link.text.casefold().strip(" .:!>»→…") in VAGUE:
            fix = "name what the reader will find there"
            yield from _hits(case, link, f"the link “{link.text}” does not say where it leads", fix)
        elif not link.text and not link.href.startswith("#"):
            yield from _hits(case, link, f"the link to {link.href} has no words", "give it some")


@rule("links/personal-data", Severity.BLOCKER, applies_to=ALL_MAIL)
def personal_data(case: LintContext) -> Iterator[Problem]:
    """A reader's address, name or health in a URL: it ends in logs of machines we do not know."""
    for name, line in _merged(case):
        if PERSONAL.search(name):
            yield Problem(
                line,
                f"{{{{ {name} }}}} puts personal data in a URL",
                "take it out: the page can ask, or know the reader by its own means",
            )
    for link in _links(case):
        parts = split_url(link.href)
        if parts and parts.scheme in {"http", "https"} and _ADDRESS.search(unquote(parts.query)):
            yield from _hits(
                case, link, f"{link.href} puts personal data in a URL", "take the address out"
            )


@rule("links/merge-field", Severity.WARNING)
def merge_field(case: LintContext) -> Iterator[Problem]:
    """Any other merge field in a URL may still tell readers apart."""
    for name, line in _merged(case):
        if not PERSONAL.search(name):
            yield Problem(
                line,
                f"{{{{ {name} }}}} in a URL tells its host something about the reader",
                "take it out, unless the page cannot do without",
            )


def split_url(href: str) -> SplitResult | None:
    """The parts of a URL; None if it is none at all."""
    try:
        parts = urlsplit(href)
        _ = parts.hostname, parts.port
    except ValueError:
        return None
    return parts


def _links(case: LintContext) -> list[Link]:
    """Every link of every variant once, our own (unsubscribe, media) left out."""
    own = case.publication.public_url.rstrip("/") + "/"
    links = dict.fromkeys(link for reading in case.readings for link in reading.links)
    return [link for link in links if not link.href.startswith(own)]


def _by_host(
    case: LintContext, wrong: Callable[[SplitResult], bool], message: str, fix: str
) -> Iterator[Problem]:
    for link in _links(case):
        parts = split_url(link.href)
        if parts and parts.scheme in {"http", "https"} and wrong(parts):
            yield from _hits(case, link, message.format(href=link.href), fix)


def _hits(case: LintContext, link: Link, message: str, fix: str) -> Iterator[Problem]:
    """A hit wherever the article has this link; else where its address or its words stand."""
    written = dict.fromkeys((link.href, unquote(link.href)))
    for href in written:
        if lines := case.lines_of(f"[{link.text}]({href}"):
            yield from (Problem(line, message, fix) for line in lines)
            return
    for text in (*written, link.text):
        file, line = case.place_of(text)
        if (file, line) != (case.file, 1):
            yield Problem(line, message, fix, file)
            return
    yield Problem(1, message, fix)


def _leads_somewhere(parts: SplitResult) -> bool:
    return parts.scheme in SCHEMES and bool(parts.hostname or parts.scheme in {"mailto", "tel"})


def _ip(parts: SplitResult) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return None


def _is_here(parts: SplitResult) -> bool:
    host, number = parts.hostname or "", _ip(parts)
    if number is not None:
        return number.is_private or number.is_loopback or number.is_unspecified
    inner = host.endswith((".local", ".internal")) or (host != "" and "." not in host)
    return inner or is_loopback(host)


def _merged(case: LintContext) -> Iterator[tuple[str, int]]:
    """Each merge field in a URL with its lines."""
    for name in sorted(_names_in_urls(case)):
        uses = [use.line for use in case.issue.merge_fields if use.name == name]
        in_urls = [line for line in uses if _stands_in_url(case, name, line)]
        yield from ((name, line) for line in dict.fromkeys(in_urls or uses[:1] or [1]))


def _names_in_urls(case: LintContext) -> set[str]:
    whole_or_part = {SlotKind.URL, SlotKind.URL_PART, SlotKind.TEXT_URL}
    return {
        slot.name
        for variant in case.compiled.variants
        for slot in (*variant.html.slots, *variant.text.slots)
        if slot.kind in whole_or_part
    }


def _stands_in_url(case: LintContext, name: str, line: int) -> bool:
    text = case.issue.source.split("\n")[line - 1]
    return any(
        _IN_URL.search(_MERGE.sub("M", text[: found.start()])) is not None
        or text[: found.start()].rstrip().endswith(("(", "(<", "url:"))
        for found in _MERGE.finditer(text)
        if name in found[0]
    )
