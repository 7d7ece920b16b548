"""Finds where references are cited, and numbers them accordingly."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from markdown_it.token import Token

from newsletter.content.blocks import inlines
from newsletter.content.model import AudienceBlock, Block, Citation, ImageUse, Reference
from newsletter.content.tokens import place, plain

_UNKNOWN = re.compile(r"\[\^([^\]\n]*)\]")


def spell_out_undefined(tokens: Iterable[Token], keys: Collection[str]) -> None:
    """Turn citations without an entry back into text, as they were written."""
    # `number` then finds them as text, and the checks report them with their line.
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
        The references, cited ones first by number, the others in file order; and the citations in
        reading order.
    """
    known = {reference.key: reference for reference in references}
    cited: list[tuple[str, int]] = []
    for inline in inlines(blocks):
        for child in inline.children or ():
            if child.type == "footnote_ref":
                cited.append((child.meta["label"], place(child)))
            elif child.type == "text":
                cited += [(key, place(child)) for key in _UNKNOWN.findall(child.content)]
    numbers: dict[str, int] = {}
    citations: list[Citation] = []
    for key, line in cited:
        if key in known:
            numbers.setdefault(key, len(numbers) + 1)
        citations.append(Citation(key, numbers.get(key), line))
    numbered = [replace(r, number=numbers.get(r.key)) for r in known.values()]
    numbered.sort(key=lambda r: (r.number is None, r.number or r.line))
    return tuple(numbered), tuple(citations)


def images(blocks: tuple[Block | AudienceBlock, ...]) -> Iterator[ImageUse]:
    """Yield every image in these blocks, in reading order."""
    for inline in inlines(blocks):
        for child in inline.children or ():
            if child.type == "image":
                yield ImageUse(str(child.attrs["src"]), plain(child.children), place(child))
