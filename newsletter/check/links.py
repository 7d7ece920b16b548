"""Links: each must lead to a page, safely, and say where it leads."""

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
"""Names of merge fields that identify a recipient or tell about their health."""

_RESERVED = (".example", ".invalid", ".test", "example.com", "example.net", "example.org")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.\w+")
_IN_URL = re.compile(r"(?:https?://|mailto:)[^\s<>)\"']*$")
_MERGE = re.compile(r"\{\{.*?\}\}")


@rule("links/empty", Severity.BLOCKER, applies_to=ALL_MAIL)
def empty(context: LintContext) -> Iterator[Problem]:
    """A link without an address."""
    for link in _links(context):
        if link.href in {"", "#"}:
            yield from _problems(
                context, link, f"the link “{link.text}” has no address", "add the address"
            )


@rule("links/relative", Severity.BLOCKER, applies_to=ALL_MAIL)
def relative(context: LintContext) -> Iterator[Problem]:
    """A relative address, or a ``#name`` that does not exist: a mail has no base URL."""
    for link in _links(context):
        parts = split_url(link.href)
        if link.href.startswith("#"):
            if link.href != "#" and not any(link.href[1:] in r.names for r in context.mails):
                yield from _problems(
                    context,
                    link,
                    f"the link goes to {link.href}, which does not exist in the mail",
                    "remove it: few mail programs support links within a mail",
                )
        elif link.href and parts and not parts.scheme:
            yield from _problems(
                context, link, f"{link.href} is incomplete", "write the full address, with https://"
            )


@rule("links/scheme", Severity.BLOCKER, applies_to=ALL_MAIL)
def scheme(context: LintContext) -> Iterator[Problem]:
    """An invalid address, or one that mail programs block, such as ``javascript:``."""
    for link in _links(context):
        parts = split_url(link.href)
        if parts is None:
            usable = False
        elif parts.scheme in {"mailto", "tel"}:
            usable = True
        else:
            # An address without a scheme is a matter of links/relative.
            usable = not parts.scheme or (parts.scheme in SCHEMES and bool(parts.hostname))
        if not usable:
            yield from _problems(
                context, link, f"{link.href} is not a valid link", "use https:, mailto: or tel:"
            )


@rule("links/insecure", Severity.WARNING, applies_to=ALL_MAIL)
def insecure(context: LintContext) -> Iterator[Problem]:
    """A plain http address: others on the network can read and change the page."""
    yield from _by_host(
        context,
        lambda parts: parts.scheme == "http" and not _is_here(parts),
        "{href} is not encrypted",
        "use its https address",
    )


@rule("links/local", Severity.BLOCKER, applies_to=ALL_MAIL)
def local(context: LintContext) -> Iterator[Problem]:
    """An address that works only on the author's machine or network."""
    yield from _by_host(
        context,
        _is_here,
        "{href} works only on your own machine or network",
        "use the public address",
    )


@rule("links/bare-ip", Severity.WARNING, applies_to=ALL_MAIL)
def bare_ip(context: LintContext) -> Iterator[Problem]:
    """An IP address as the host, which spam filters count against the mail."""
    yield from _by_host(
        context,
        lambda parts: _ip(parts) is not None and not _is_here(parts),
        "{href} has an IP address as its host, which looks like spam",
        "use the host’s name",
    )


@rule("links/shortener", Severity.WARNING, applies_to=ALL_MAIL)
def shortener(context: LintContext) -> Iterator[Problem]:
    """A shortened address, which hides where it leads from readers and spam filters."""
    yield from _by_host(
        context,
        lambda parts: (parts.hostname or "").removeprefix("www.") in SHORTENERS,
        "{href} is a shortened link, which hides where it leads",
        "use the full address",
    )


@rule("links/example-domain", Severity.WARNING, live=True)
def example_domain(context: LintContext) -> Iterator[Problem]:
    """An address on a reserved domain (RFC 2606), which does not exist."""
    yield from _by_host(
        context,
        lambda parts: f".{parts.hostname}".endswith(_RESERVED),
        "{href} is a sample address that does not exist",
        "use the real address",
    )


@rule("links/vague-text", Severity.WARNING, applies_to=ALL_MAIL)
def vague_text(context: LintContext) -> Iterator[Problem]:
    """Link text that makes no sense by itself (WCAG 2.4.4)."""
    for link in _links(context):
        if link.text.casefold().strip(" .:!>»→…") in VAGUE:
            # Screen readers list the links of a mail without the words around them.
            fix = "describe the page it leads to"
            yield from _problems(
                context, link, f"the link “{link.text}” does not say where it leads", fix
            )
        elif not link.text and not link.href.startswith("#"):
            yield from _problems(context, link, f"the link to {link.href} has no text", "add some")


@rule("links/personal-data", Severity.BLOCKER, applies_to=ALL_MAIL)
def personal_data(context: LintContext) -> Iterator[Problem]:
    """A recipient's address, name or health in a URL, which ends up in other companies' logs."""
    for name, line in _merged(context):
        if PERSONAL.search(name):
            yield Problem(
                line,
                f"{{{{ {name} }}}} puts personal data into a link",
                "remove it from the link, and let the page ask for it",
            )
    # An address may also be written out, percent-encoded or not.
    for link in _links(context):
        parts = split_url(link.href)
        if parts and parts.scheme in {"http", "https"} and _ADDRESS.search(unquote(parts.query)):
            yield from _problems(
                context, link, f"{link.href} contains an email address", "remove it from the link"
            )


@rule("links/merge-field", Severity.WARNING)
def merge_field(context: LintContext) -> Iterator[Problem]:
    """Any other merge field in a URL, which may still identify a recipient."""
    for name, line in _merged(context):
        if not PERSONAL.search(name):
            yield Problem(
                line,
                f"{{{{ {name} }}}} in a URL tells that site something about the recipient",
                "remove it unless the page needs it",
            )


def split_url(href: str) -> SplitResult | None:
    """The parts of a URL; None if it cannot be parsed."""
    try:
        parts = urlsplit(href)
        _ = parts.hostname, parts.port  # parsed, and refused, only when read
    except ValueError:
        return None
    return parts


def _links(context: LintContext) -> list[Link]:
    """Every link of every variant once, except our own (unsubscribe, media)."""
    # Their tokens differ for each recipient, and no author writes them.
    own = context.publication.public_url.rstrip("/") + "/"
    links = dict.fromkeys(link for mail in context.mails for link in mail.links)
    return [link for link in links if not link.href.startswith(own)]


def _by_host(
    context: LintContext, wrong: Callable[[SplitResult], bool], message: str, fix: str
) -> Iterator[Problem]:
    for link in _links(context):
        parts = split_url(link.href)
        if parts and parts.scheme in {"http", "https"} and wrong(parts):
            yield from _problems(context, link, message.format(href=link.href), fix)


def _problems(context: LintContext, link: Link, message: str, fix: str) -> Iterator[Problem]:
    """A problem at each place where the article has this link, or else its address or text."""
    # Rendering percent-encodes an address; the author may have written it plain.
    written = dict.fromkeys((link.href, unquote(link.href)))
    for href in written:
        if lines := context.lines_of(f"[{link.text}]({href}"):
            yield from (Problem(line, message, fix) for line in lines)
            return
    for text in (*written, link.text):
        file, line = context.place_of(text)
        if (file, line) != (context.file, 1):
            yield Problem(line, message, fix, file)
            return
    yield Problem(1, message, fix)


def _ip(parts: SplitResult) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return None


def _is_here(parts: SplitResult) -> bool:
    host, number = parts.hostname or "", _ip(parts)
    if number is not None:
        return number.is_private or number.is_loopback or number.is_unspecified
    # A host without a dot is found only within a local network.
    inner = host.endswith((".local", ".internal")) or (host != "" and "." not in host)
    return inner or is_loopback(host)


def _merged(context: LintContext) -> Iterator[tuple[str, int]]:
    """Each merge field in a URL with its lines."""
    whole_or_part = {SlotKind.URL, SlotKind.URL_PART, SlotKind.TEXT_URL}
    names = {
        slot.name
        for variant in context.compiled.variants
        for slot in (*variant.html.slots, *variant.text.slots)
        if slot.kind in whole_or_part
    }
    source = context.issue.source.split("\n")
    for name in sorted(names):
        lines = [use.line for use in context.issue.merge_fields if use.name == name]
        # The same field may be in the text as well: point at the lines that have it in a URL.
        in_urls = [line for line in lines if _is_in_url(source[line - 1], name)]
        yield from ((name, line) for line in dict.fromkeys(in_urls or lines[:1] or [1]))


def _is_in_url(text: str, name: str) -> bool:
    return any(
        _IN_URL.search(_MERGE.sub("M", text[: found.start()])) is not None
        or text[: found.start()].rstrip().endswith(("(", "(<", "url:"))
        for found in _MERGE.finditer(text)
        if name in found[0]
    )
