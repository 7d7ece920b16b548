"""Block tokens of ordinary Markdown as plain text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, repeat

from markdown_it.token import Token

from newsletter.render.text_inline import Inline
from newsletter.render.wrap import underline, wrap


def write_prose(
    tokens: Sequence[Token], inline: Inline, indent: str = "", gap: str = "\n\n"
) -> str:
    """Paragraphs, headings, lists, quotes and code, each set apart by an empty line.

    Args:
        tokens: Block tokens, balanced.
        inline: Writes what is in them.
        indent: Starts every line.
        gap: Stands between blocks.
    """
    blocks = (_block(group, inline, indent) for group in _groups(tokens))
    return gap.join(block for block in blocks if block.strip())


def _groups(tokens: Sequence[Token]) -> list[Sequence[Token]]:
    """The outermost blocks, each from its opening token to its closing one."""
    groups, depth, start = [], 0, 0
    for index, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            groups.append(tokens[start : index + 1])
            start = index + 1
    return groups


def _block(tokens: Sequence[Token], inline: Inline, indent: str) -> str:
    write = _WRITERS.get(tokens[0].type)
    return write(tokens, inline, indent) if write else write_prose(tokens[1:-1], inline, indent)


def _paragraph(tokens: Sequence[Token], inline: Inline, indent: str) -> str:
    content = next(token for token in tokens if token.type == "inline")
    return wrap(inline.write(content), indent, indent)


def _heading(tokens: Sequence[Token], inline: Inline, indent: str) -> str:
    """A second empty line above sets sections apart; within something it is no section."""
    heading = inline.write(tokens[1])
    return wrap(heading, indent, indent) if indent else "\n" + underline(heading)


def _quote(tokens: Sequence[Token], inline: Inline, indent: str) -> str:
    return write_prose(tokens[1:-1], inline, f"{indent}> ")


def _definition(tokens: Sequence[Token], inline: Inline, indent: str) -> str:
    return write_prose(tokens[1:-1], inline, f"{indent}  ")


def _code(tokens: Sequence[Token], inline: Inline, indent: str) -> str:
    lines = tokens[0].content.rstrip("\n").split("\n")
    return "\n".join(f"{indent}    {line}".rstrip() for line in lines)


def _rule(tokens: Sequence[Token], inline: Inline, indent: str) -> str:
    return f"{indent}* * *"


def _list(tokens: Sequence[Token], inline: Inline, indent: str) -> str:
    opening, items = tokens[0], tokens[1:-1]
    ordered = opening.type == "ordered_list_open"
    number = int(opening.attrs.get("start", 1))
    entries = _groups(items)
    gap = "\n" if all(map(_is_tight, entries)) else "\n\n"
    written = []
    for offset, entry in enumerate(entries):
        mark = f"{number + offset}. " if ordered else "- "
        body = write_prose(entry[1:-1], inline, indent + " " * len(mark), gap)
        written.append(indent + mark + body[len(indent) + len(mark) :])
    return gap.join(written)


def _is_tight(entry: Sequence[Token]) -> bool:
    return entry[1].hidden or entry[1].type == "list_item_close"


def _table(tokens: Sequence[Token], inline: Inline, indent: str) -> str:
    """A table within a box, list or quote."""
    rows: list[list[Token]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(token)
    return write_records(rows[0], rows[1:], inline, indent)


def write_records(
    head: Sequence[Token], rows: Sequence[Sequence[Token]], inline: Inline, indent: str = ""
) -> str:
    """A table as a list of its rows, each value behind its column's name.

    Args:
        head: The columns' names, inline tokens as all cells.
        rows: The cells; empty ones are left out.
        inline: Writes what is in them.
        indent: Starts every line.
    """
    names = [inline.write(cell) for cell in head]
    if not rows:
        return wrap(", ".join(filter(None, names)), f"{indent}- ", f"{indent}  ")
    values = ([inline.write(cell) for cell in row] for row in rows)
    return "\n".join(_record(names, row, indent) for row in values)


def _record(names: Sequence[str], values: Sequence[str], indent: str) -> str:
    pairs = zip(names, values, strict=False)
    lines = [f"{name}: {value}" if name else value for name, value in pairs if value]
    starts = chain([f"{indent}- "], repeat(f"{indent}  "))
    written = (
        wrap(line, start, f"{indent}    ") for line, start in zip(lines, starts, strict=False)
    )
    return "\n".join(written)


_WRITERS: dict[str, Callable[[Sequence[Token], Inline, str], str]] = {
    "paragraph_open": _paragraph,
    "inline": _paragraph,
    "dt_open": _paragraph,
    "dd_open": _definition,
    "heading_open": _heading,
    "bullet_list_open": _list,
    "ordered_list_open": _list,
    "blockquote_open": _quote,
    "fence": _code,
    "code_block": _code,
    "hr": _rule,
    "table_open": _table,
}
"""What writes a block, by the type of its first token; others are what they hold."""
