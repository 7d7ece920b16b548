"""Blocks of an article as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from markdown_it.token import Token

from newsletter.content.model import Bars, Block, DataTable, Glance, Note, Prose, Reference, Study
from newsletter.i18n.catalog import Translator
from newsletter.render.text_inline import Inline, LinkEntry
from newsletter.render.text_prose import write_prose, write_records
from newsletter.render.wrap import wrap

BOX = "| "
"""The start of each line of a box."""


def write_text_blocks(
    blocks: Iterable[Block], numbers: Mapping[str, int], words: Translator
) -> str:
    """An article's blocks as text, separated by empty lines."""
    inline, written = Inline(numbers, words), []
    for block in blocks:
        match block:
            case Prose():
                text = write_prose(block.tokens, inline)
            case DataTable():
                text = write_records(block.head, block.rows, inline)
            case Bars():
                bars = (f"{bar.value}: {inline.write(bar.label)}" for bar in block.bars)
                text = _box(block.title, _items(bars), inline)
            case Study():
                rows = (f"{label}: {inline.write(text)}" for label, text in block.rows)
                text = _box(block.title, _items(rows), inline)
            case Glance():
                text = _box(block.title, _items(map(inline.write, block.facts)), inline)
            case Note():
                text = _box(block.title, write_prose(block.tokens, inline, BOX), inline)
        written.append(text)
    return "\n\n".join(written)


def write_text_references(
    references: Iterable[Reference], numbers: Mapping[str, int], words: Translator
) -> str:
    """The reference list, with whole URLs."""
    entry, lines = LinkEntry(numbers, words), []
    for reference in references:
        mark = f"[{reference.number}] "
        lines.append(wrap(entry.write(reference.entry), mark, " " * len(mark)))
    return "\n".join(lines)


def _box(title: Token, body: str, inline: Inline) -> str:
    head = wrap(inline.write(title), BOX, BOX) if title.children else ""
    # Empty lines have the mark, too: a box without it would seem to end there.
    lines = "\n\n".join(filter(None, (head, body))).splitlines()
    return "\n".join(line or BOX.rstrip() for line in lines)


def _items(texts: Iterable[str]) -> str:
    return "\n".join(wrap(text, f"{BOX}- ", f"{BOX}  ") for text in texts)
