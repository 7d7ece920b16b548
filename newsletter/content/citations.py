"""Who is cited where, and so which number each reference has."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from markdown_it.token import Token

from newsletter.content.blocks import inlines
from newsletter.content.markdown import place, plain
from newsletter.content.model import AudienceBlock, Block, Citation, ImageUse, Reference

_UNKNOWN = re.compile(r"\[\^([^\]\n]*)\]")


def spell_out_undefined(tokens: Iterable[Token], keys: Collection[str]) -> None:
    """Turn citations without an entry back into text, as they were written."""
    for token in tokens:
        for child in token.children or ():
            if child.type == "footnote_ref" and child.meta["label"] not in keys:
                child.type, child.content = "text", f"[^{child.meta['label']}]"
                child.meta = {}


def number(
    blocks: tuple[Block | AudienceBlock, ...], references: Iterable[Reference]
) -> tuple[tuple[Reference, ...], tuple[Citation, ...]]:
    """Number references by first citation in reading order.

    Returns:
        The references, cited ones first by number, the others as they came in the file; and the
        citations in reading order.
    """
    known = {reference.key: reference for reference in references}
    numbers: dict[str, int] = {}
    citations: list[Citation] = []
    for key, line in _cited(blocks):
        if key in known:
            numbers.setdefault(key, len(numbers) + 1)
        citations.append(Citation(key, numbers.get(key), line))
    numbered = [replace(r, number=numbers.get(r.key)) for r in known.values()]
    numbered.sort(key=lambda r: (r.number is None, r.number or r.line))
    return tuple(numbered), tuple(citations)


def images(blocks: tuple[Block | AudienceBlock, ...]) -> Iterator[ImageUse]:
    """Give every picture in these blocks, in reading order."""
    for inline in inlines(blocks):
        for child in inline.children or ():
            if child.type == "image":
                yield ImageUse(str(child.attrs["src"]), plain(child.children), place(child))


def _cited(blocks: tuple[Block | AudienceBlock, ...]) -> Iterator[tuple[str, int]]:
    for inline in inlines(blocks):
        for child in inline.children or ():
            if child.type == "footnote_ref":
                yield child.meta["label"], place(child)
            elif child.type == "text":
                yield from ((key, place(child)) for key in _UNKNOWN.findall(child.content))
