"""Takes reference entries out of the article and turns their identifiers into links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote

from markdown_it.token import Token

from newsletter.content.model import Reference
from newsletter.content.tokens import place, plain
from newsletter.errors import InputError

# A DOI may contain balanced <…> (old SICI ones): https://www.doi.org/doi-handbook/HTML/index.html
_LOCATOR = re.compile(
    # URLs first: identifiers inside one are part of its address.
    r"(?P<url>https?://\w[^\s<>\"]*)"
    r"|(?<![\w./])(?P<doi>10\.[0-9]{4,9}/(?:[^\s<>\"]|<[^\s<>]*>)+)"
    r"|\bPMID:?\s*(?P<pmid>[1-9][0-9]{0,7})(?![0-9])"
    r"|\b(?:PMCID:?\s*(?:PMC)?|PMC)(?P<pmcid>[1-9][0-9]{0,8})(?![0-9])",
    re.IGNORECASE,
)
_ADDRESS = {
    "doi": re.compile(r"https?://(?:dx\.)?doi\.org/(10\.[0-9]{4,9}/.+)", re.IGNORECASE),
    "pmid": re.compile(r"https?://pubmed\.ncbi\.nlm\.nih\.gov/([0-9]{1,8})/?", re.IGNORECASE),
    "pmcid": re.compile(
        r"https?://(?:pmc\.ncbi\.nlm\.nih\.gov|www\.ncbi\.nlm\.nih\.gov/pmc)/articles/"
        r"(PMC[0-9]{1,9})/?",
        re.IGNORECASE,
    ),
}
_PAIRS = {")": "(", "]": "[", "}": "{"}
_PARAGRAPH = ("paragraph_open", "inline", "paragraph_close")


@dataclass(frozen=True, slots=True)
class ReferenceEntry:
    """One ``[^key]: …`` as written in the file."""

    key: str
    inline: Token
    line: int


def take_entries(tokens: list[Token]) -> tuple[list[Token], list[ReferenceEntry]]:
    """Separate the article from its reference entries.

    Raises:
        InputError: An entry contains something other than paragraphs, or a citation.
    """
    rest: list[Token] = []
    entries: list[ReferenceEntry] = []
    opening: Token | None = None
    paragraphs: list[Token] = []
    for token in tokens:
        if opening is None:
            if token.type == "footnote_reference_open":
                opening, paragraphs = token, []
            else:
                rest.append(token)
        elif token.type == "footnote_reference_close":
            # The list prints an entry on lines of its own, not as paragraphs.
            inline = _token("inline", "", 0, opening)
            inline.content = "\n".join(paragraph.content for paragraph in paragraphs)
            children: list[Token] = []
            for paragraph in paragraphs:
                if children:
                    children.append(_token("hardbreak", "br", 0, paragraph))
                children += paragraph.children or ()
            inline.children = children
            entries.append(ReferenceEntry(opening.meta["label"], inline, place(opening)))
            opening = None
        elif token.type not in _PARAGRAPH:
            # "[^a]: 2. Smith" would be a list, and its number would be lost.
            raise InputError(
                "a reference entry contains something other than text",
                line=place(token),
                fix="write it as one paragraph, without a list number in front",
            )
        elif token.type == "inline":
            for child in token.children or ():
                if child.type == "footnote_ref":
                    raise InputError(
                        "a reference entry contains a citation",
                        line=place(child),
                        fix="cite it in the article instead",
                    )
            paragraphs.append(token)
    return rest, entries


def references(entries: list[ReferenceEntry]) -> tuple[Reference, ...]:
    """Build references from entries, not numbered yet; for a repeated key, from the first entry."""
    first: dict[str, Reference] = {}
    for entry in entries:
        if entry.key in first:
            continue
        text = plain(entry.inline.children)
        entry.inline.children = list(_linked(entry.inline.children or []))
        found: dict[str, str] = {}
        urls: list[str] = []
        for token in entry.inline.children:
            if token.type != "link_open":
                continue
            href = str(token.attrs["href"])
            if token.markup != "identifier":
                urls.append(href)
            # An identifier counts however it was written: bare, as a URL or as a Markdown link.
            for kind, pattern in _ADDRESS.items():
                if address := pattern.fullmatch(href):
                    found.setdefault(kind, unquote(address[1]))
        first[entry.key] = Reference(
            key=entry.key,
            number=None,
            entry=entry.inline,
            text=text,
            doi=found.get("doi", ""),
            pmid=found.get("pmid", ""),
            pmcid=found.get("pmcid", ""),
            urls=tuple(urls),
            line=entry.line,
        )
    return tuple(first.values())


def duplicates(entries: list[ReferenceEntry]) -> dict[str, tuple[int, ...]]:
    """Map each key that several entries have to the lines of all of them."""
    lines: dict[str, list[int]] = {}
    for entry in entries:
        lines.setdefault(entry.key, []).append(entry.line)
    return {key: tuple(places) for key, places in lines.items() if len(places) > 1}


def _linked(tokens: list[Token]) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        depth += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        # A link cannot contain another one.
        if token.type != "text" or depth:
            yield token
            continue
        text, end = token.content, 0
        for found in _LOCATOR.finditer(text):
            kind = str(found.lastgroup)
            start, stop = found.span(kind)
            if kind == "pmcid":
                start -= 3 * (text[start - 3 : start].upper() == "PMC")
            shown = _trim(text[start:stop])
            if kind == "doi" and shown.endswith("/"):
                continue
            if start > end:
                yield _text(text[end:start], token)
            opening = _token("link_open", "a", 1, token)
            opening.attrs = {"href": _href(kind, shown)}
            opening.markup = "linkify" if kind == "url" else "identifier"
            opening.info = "auto"
            yield from (opening, _text(shown, token), _token("link_close", "a", -1, token))
            end = start + len(shown)
        if end < len(text):
            yield _text(text[end:], token)


def _href(kind: str, shown: str) -> str:
    match kind:
        case "doi":
            return "https://doi.org/" + quote(shown, safe="/:;()!$&*+,=@")
        case "pmid":
            return f"https://pubmed.ncbi.nlm.nih.gov/{shown}/"
        case "pmcid":
            return f"https://pmc.ncbi.nlm.nih.gov/articles/PMC{shown.upper().removeprefix('PMC')}/"
        case _:
            # "%" is safe here: a web address is already percent-encoded where it has to be.
            return quote(shown, safe="/:;()!$&*+,=@?#%~[]'")


def _trim(text: str) -> str:
    # An address may contain any of these, but at its end they belong to the sentence around it:
    # "(doi:10.1000/x)." A bracket stays if it was opened inside, as in "S2352-3026(17)30182-5".
    while text:
        last = text[-1]
        opener = _PAIRS.get(last)
        if last not in ".,;:!?'’”…*" and (not opener or text.count(opener) >= text.count(last)):
            break
        text = text[:-1]
    return text


def _text(content: str, like: Token) -> Token:
    token = _token("text", "", 0, like)
    token.content = content
    return token


def _token(kind: str, tag: str, nesting: int, like: Token) -> Token:
    return Token(kind, tag, nesting, map=like.map, level=like.level)  # type: ignore[arg-type]
