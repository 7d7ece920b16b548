"""Block tokens of ordinary Markdown as plain text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markdown_it.token import Token

from newsletter.render.text_inline import Inline
from newsletter.render.wrap import underline, wrap


def write_prose(
    tokens: Sequence[Token], inline: Inline, indent: str = "", gap: str = "\n\n"
) -> str:
    """Paragraphs, headings, lists, quotes and code, separated by empty lines.

    Args:
        tokens: Block tokens, with every opening token closed.
        inline: Writes their content.
        indent: The start of every line.
        gap: What separates blocks.
    """
    blocks = []
    for group in _groups(tokens):
        write = _WRITERS.get(group[0].type, _children)
        blocks.append(write(group, inline, indent))
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


def _children(tokens: Sequence[Token], inline: Inline, indent: str) -> str:
    return write_prose(tokens[1:-1], inline, indent)


def _paragraph(tokens: Sequence[Token], inline: Inline, indent: str) -> str:
    content = next(token for token in tokens if token.type == "inline")
    return wrap(inline.write(content), indent, indent)


def _heading(tokens: Sequence[Token], inline: Inline, indent: str) -> str:
    heading = inline.write(tokens[1])
    # A second empty line separates sections; an indented heading does not start one.
    return wrap(heading, indent, indent) if indent else "\n" + underline(heading)


def _code(tokens: Sequence[Token], inline: Inline, indent: str) -> str:
    lines = tokens[0].content.rstrip("\n").split("\n")
    return "\n".join(f"{indent}    {line}".rstrip() for line in lines)


def _list(tokens: Sequence[Token], inline: Inline, indent: str) -> str:
    opening, items = tokens[0], tokens[1:-1]
    ordered = opening.type == "ordered_list_open"
    number = int(opening.attrs.get("start", 1))
    entries = _groups(items)
    # Markdown hides the paragraphs of a list whose items have no empty line between them.
    tight = all(entry[1].hidden or entry[1].type == "list_item_close" for entry in entries)
    gap = "\n" if tight else "\n\n"
    written = []
    for offset, entry in enumerate(entries):
        mark = f"{number + offset}. " if ordered else "- "
        body = write_prose(entry[1:-1], inline, indent + " " * len(mark), gap)
        written.append(indent + mark + body[len(indent) + len(mark) :])
    return gap.join(written)


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
    """A table as a list of its rows, each value after its column's name.

    Args:
        head: The columns' names, inline tokens as all cells.
        rows: The cells; empty ones are omitted.
        inline: Writes their content.
        indent: The start of every line.
    """
    names = [inline.write(cell) for cell in head]
    # Without rows, the column names are all that the table says.
    if not rows:
        return wrap(", ".join(filter(None, names)), f"{indent}- ", f"{indent}  ")
    written = []
    for row in rows:
        start = f"{indent}- "
        for name, cell in zip(names, row, strict=False):
            if value := inline.write(cell):
                line = f"{name}: {value}" if name else value
                written.append(wrap(line, start, f"{indent}    "))
                start = f"{indent}  "
    return "\n".join(written)


_WRITERS: dict[str, Callable[[Sequence[Token], Inline, str], str]] = {
    "paragraph_open": _paragraph,
    "inline": _paragraph,
    "dt_open": _paragraph,
    "dd_open": lambda tokens, inline, indent: _children(tokens, inline, f"{indent}  "),
    "heading_open": _heading,
    "bullet_list_open": _list,
    "ordered_list_open": _list,
    "blockquote_open": lambda tokens, inline, indent: _children(tokens, inline, f"{indent}> "),
    "fence": _code,
    "code_block": _code,
    "hr": lambda tokens, inline, indent: f"{indent}* * *",
    "table_open": _table,
}
"""What writes a block, by the type of its first token; others consist of their children."""
