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
"""Starts each line of a box."""


def write_text_blocks(
    blocks: Iterable[Block], numbers: Mapping[str, int], words: Translator
) -> str:
    """An article's blocks as text, each set apart by an empty line."""
    inline = Inline(numbers, words)
    return "\n\n".join(_block(block, inline) for block in blocks)


def write_text_references(
    references: Iterable[Reference], numbers: Mapping[str, int], words: Translator
) -> str:
    """The reference list, with whole URLs."""
    entries = []
    for reference in references:
        mark = f"[{reference.number}] "
        entries.append(
            wrap(LinkEntry(numbers, words).write(reference.entry), mark, " " * len(mark))
        )
    return "\n".join(entries)


def _block(block: Block, inline: Inline) -> str:
    match block:
        case Prose():
            return write_prose(block.tokens, inline)
        case DataTable():
            return write_records(block.head, block.rows, inline)
        case Bars():
            bars = ((bar.value, inline.write(bar.label)) for bar in block.bars)
            return _box(block.title, _rows(bars), inline)
        case Study():
            rows = ((label, inline.write(text)) for label, text in block.rows)
            return _box(block.title, _rows(rows), inline)
        case Glance():
            facts = "\n".join(_item(inline.write(fact)) for fact in block.facts)
            return _box(block.title, facts, inline)
        case Note():
            return _box(block.title, write_prose(block.tokens, inline, BOX), inline)


def _box(title: Token, body: str, inline: Inline) -> str:
    """Every line has the mark, empty ones too: what follows a box must not seem to be in it."""
    head = wrap(inline.write(title), BOX, BOX) if title.children else ""
    lines = "\n\n".join(filter(None, (head, body))).splitlines()
    return "\n".join(line or BOX.rstrip() for line in lines)


def _rows(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(_item(f"{label}: {value}") for label, value in rows)


def _item(text: str) -> str:
    return wrap(text, f"{BOX}- ", f"{BOX}  ")
