"""The article's own text as sentences, each with whether it is cited."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markdown_it.token import Token

from newsletter.content.model import (
    AudienceBlock,
    Bars,
    Block,
    DataTable,
    Glance,
    Note,
    Prose,
    Study,
)

CITED = "\ue000"
"""Replaces a citation in a passage's text (a private-use character)."""

_LITERAL = re.compile(r"\[\^[^\]\n]*\]")
_SHORT = (
    "dr|mr|mrs|ms|prof|st|vs|fig|no|vol|approx|ca|cf|inc|ltd|al|e\\.g|i\\.e|u\\.s|a\\.m|p\\.m"
    "|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|[a-z]"
)
# A citation right after the period still belongs to the sentence.
_END = re.compile(rf"""(?<![.!?…])[.!?…]+['"’”)\]]*(?:\s*{CITED})*(?=\s|$)""")
_ABBREVIATED = re.compile(rf"(?:^|[\s(“\"'])(?:{_SHORT})\.$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence. ``cited``: it has a citation, in it or right after its period; ``covered``: it
    is cited, or one citation covers the whole paragraph, list or block it belongs to."""

    text: str
    line: int
    cited: bool
    covered: bool


@dataclass(frozen=True, slots=True)
class Passage:
    """One run of text: a paragraph, a heading, a cell. ``covered``: its block is cited as one."""

    text: str
    line: int
    covered: bool = False
    heading: bool = False

    @property
    def sentences(self) -> Iterator[Sentence]:
        """Its sentences; a citation at the end of a passage covers all of it."""
        covered = self.covered or self.text.rstrip().rstrip(".!?").endswith(CITED)
        ends = [end.end() for end in _END.finditer(self.text) if not _goes_on(self.text, end)]
        for start, end in pairwise((0, *ends, len(self.text))):
            raw = self.text[start:end]
            cited = CITED in raw
            text = " ".join(raw.replace(CITED, "").split())
            first = start + len(raw) - len(raw.lstrip())
            line = self.line + self.text.count("\n", 0, first)
            if text:
                yield Sentence(text, line, cited, cited or covered)


def sentences(blocks: Iterable[Block | AudienceBlock]) -> Iterator[Passage]:
    """The text of an article's blocks, in order; references are not among them."""
    for block in blocks:
        match block:
            case AudienceBlock():
                yield from sentences(block.blocks)
            case Prose():
                yield from _prose(block.tokens, block.line)
            case Note():
                yield _passage(block.title, block.line, heading=True)
                yield from _prose(block.tokens, block.line)
            case Glance():
                yield _passage(block.title, block.line, heading=True)
                yield from (_passage(fact, block.line) for fact in block.facts)
            case Bars():
                shares = [(bar.label, bar.line, f"{bar.value}: ") for bar in block.bars]
                yield from _as_one([(block.title, block.line, ""), *shares])
            case Study():
                rows = [(text, block.line, "") for _, text in block.rows]
                yield from _as_one([(block.title, block.line, ""), *rows])
            case DataTable():
                cells = [cell for row in (block.head, *block.rows) for cell in row]
                yield from _as_one([(cell, block.line, "") for cell in cells])


def _as_one(runs: Sequence[tuple[Token, int, str]]) -> Iterator[Passage]:
    """Runs of one block that has one source: a citation anywhere covers them all."""
    texts = [before + flatten(token) for token, _, before in runs]
    covered = any(CITED in text for text in texts)
    for (token, line, _), text in zip(runs, texts, strict=True):
        yield Passage(text, _line(token, line), covered)


def _prose(tokens: Sequence[Token], line: int) -> Iterator[Passage]:
    depth, lead, heading = 0, False, False
    for token in tokens:
        if token.type in {"bullet_list_open", "ordered_list_open", "dl_open"}:
            depth += 1
        elif token.type in {"bullet_list_close", "ordered_list_close", "dl_close"}:
            depth -= 1
        elif token.type in {"heading_open", "paragraph_open"}:
            heading = token.type == "heading_open"
        elif token.type == "inline":
            passage = _passage(token, line, covered=depth > 0 and lead, heading=heading)
            yield passage
            # "These work:[^a]" above a list: its citation is for the items, too.
            if depth == 0:
                text = passage.text
                lead = CITED in text and text.replace(CITED, "").rstrip().endswith(":")


def _passage(token: Token, line: int, *, covered: bool = False, heading: bool = False) -> Passage:
    return Passage(flatten(token), _line(token, line), covered, heading)


def _line(token: Token, otherwise: int) -> int:
    return token.map[0] + 1 if token.map else otherwise


def flatten(token: Token) -> str:
    """An inline token's text, one line per source line, with `CITED` for each citation."""
    pieces = []
    for child in token.children or []:
        match child.type:
            case "text" | "code_inline":
                # A citation without an entry stays text: it is missing, but it is meant as one.
                pieces.append(_LITERAL.sub(CITED, child.content.replace(CITED, "")))
            case "footnote_ref":
                pieces.append(CITED)
            case "softbreak" | "hardbreak":
                pieces.append("\n")
    return "".join(pieces)


def _goes_on(text: str, end: re.Match[str]) -> bool:
    """Whether this period ends an abbreviation, or a lowercase letter follows it."""
    if text[end.end() :].lstrip()[:1].islower():
        return True
    return CITED not in end[0] and bool(_ABBREVIATED.search(text[: end.end()]))
