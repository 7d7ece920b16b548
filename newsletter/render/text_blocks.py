"""Blocks of an article as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from newsletter.content.model import Bars, Block, DataTable, Glance, Note, Prose, Reference, Study
from newsletter.render.text_inline import Entry, Inline
from newsletter.render.text_prose import write_prose
from newsletter.render.wrap import underline, wrap


def write_text_blocks(blocks: Iterable[Block], numbers: Mapping[str, int]) -> str:
    """An article's blocks as text, each set apart by an empty line."""
    inline = Inline(numbers)
    return "\n\n".join(_block(block, inline) for block in blocks)


def write_text_references(references: Iterable[Reference], numbers: Mapping[str, int]) -> str:
    """The reference list, with whole URLs."""
    entries = []
    for reference in references:
        mark = f"[{reference.number}] "
        entries.append(wrap(Entry(numbers).write(reference.entry), mark, " " * len(mark)))
    return "\n".join(entries)


def _block(block: Block, inline: Inline) -> str:
    match block:
        case Prose():
            return write_prose(block.tokens, inline)
        case DataTable():
            return _table(block, inline)
        case Bars():
            rows = ((bar.value, inline.write(bar.label)) for bar in block.bars)
            title = inline.write(block.title)
            return f"{wrap(f'{title}:')}\n\n{_rows(rows)}" if title else _rows(rows)
        case Study():
            rows = ((label, inline.write(text)) for label, text in block.rows)
            return _titled(inline.write(block.title), _rows(rows))
        case Glance():
            facts = "\n".join(wrap(inline.write(fact), "- ", "  ") for fact in block.facts)
            return _titled(inline.write(block.title), facts)
        case Note():
            return _titled(inline.write(block.title), write_prose(block.tokens, inline))


def _titled(title: str, body: str) -> str:
    return f"\n{underline(title)}\n\n{body}" if title else body


def _rows(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(wrap(f"{label}: {value}", "- ", "  ") for label, value in rows)


def _table(block: DataTable, inline: Inline) -> str:
    head = [inline.write(cell) for cell in block.head]
    rows = ([inline.write(cell) for cell in row] for row in block.rows)
    return "\n".join(_record(head, row) for row in rows)


def _record(head: list[str], row: list[str]) -> str:
    """One row: its first cell names it; two columns make one line."""
    if len(row) == 2:
        return wrap(f"{row[0]}: {row[1]}", "- ", "  ")
    named = zip(head[1:], row[1:], strict=False)
    lines = (wrap(f"{name}: {value}", "  ", "    ") for name, value in named if value)
    return "\n".join((wrap(row[0], "- ", "  "), *lines))
