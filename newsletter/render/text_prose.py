"""Block tokens of ordinary Markdown as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it.token import Token

from newsletter.render.text_inline import Inline
from newsletter.render.wrap import underline, wrap


def write_prose(tokens: Sequence[Token], inline: Inline, indent: str = "") -> str:
    """Paragraphs, headings, lists, quotes and code, each set apart by an empty line.

    Args:
        tokens: Block tokens, balanced.
        inline: Writes what is in them.
        indent: Starts every line.
    """
    blocks = (_block(group, inline, indent) for group in _groups(tokens))
    return "\n\n".join(block for block in blocks if block.strip())


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
    inner = tokens[1:-1]
    match tokens[0].type:
        case "paragraph_open" | "dt_open":
            return wrap(inline.write(inner[0]), indent, indent)
        case "heading_open":
            return underline(inline.write(inner[0]))
        case "bullet_list_open" | "ordered_list_open":
            return _list(tokens[0], inner, inline, indent)
        case "blockquote_open":
            return write_prose(inner, inline, f"{indent}> ")
        case "fence" | "code_block":
            lines = tokens[0].content.rstrip("\n").split("\n")
            return "\n".join(f"{indent}    {line}".rstrip() for line in lines)
        case "hr":
            return f"{indent}* * *"
        case "dl_open":
            return write_prose(inner, inline, indent)
        case "table_open":
            return _table(inner, inline, indent)
        case "inline":
            return wrap(inline.write(tokens[0]), indent, indent)
    return write_prose(inner, inline, f"{indent}  ")


def _list(opening: Token, items: Sequence[Token], inline: Inline, indent: str) -> str:
    ordered = opening.type == "ordered_list_open"
    number = int(opening.attrs.get("start", 1))
    written, tight = [], True
    for offset, item in enumerate(_groups(items)):
        mark = f"{number + offset}. " if ordered else "- "
        body = write_prose(item[1:-1], inline, indent + " " * len(mark))
        if _is_tight(item):
            body = body.replace("\n\n", "\n")
        tight = tight and _is_tight(item)
        written.append(indent + mark + body[len(indent) + len(mark) :])
    return ("\n" if tight else "\n\n").join(written)


def _is_tight(item: Sequence[Token]) -> bool:
    return any(token.type == "paragraph_open" and token.hidden for token in item)


def _table(tokens: Sequence[Token], inline: Inline, indent: str) -> str:
    """A table within a list or quote: one line per row."""
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(inline.write(token))
    return "\n".join(wrap(": ".join(row), f"{indent}- ", f"{indent}  ") for row in rows)
