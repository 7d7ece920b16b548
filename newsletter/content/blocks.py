"""Groups Markdown tokens into the blocks of an issue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from markdown_it.token import Token

from newsletter.content.model import (
    AudienceBlock,
    Bar,
    Bars,
    Block,
    DataTable,
    Glance,
    Note,
    Prose,
    Study,
)
from newsletter.content.tokens import place
from newsletter.errors import InputError

_TOPIC = re.compile(r"topic=([a-z0-9]+(?:-[a-z0-9]+)*)")
_PERCENT = re.compile(r"([-+−]?)([0-9]{1,9}(?:[.,][0-9]{1,9})?)\s*(?:%|percent|per cent)")
_LIST = frozenset(
    f"{name}_{end}"
    for name in ("bullet_list", "list_item", "paragraph")
    for end in ("open", "close")
) | {"inline"}
_ROWS = {"bars": "- 67 % | words", "study": "- Label | words", "glance": "- words"}


def group(tokens: Sequence[Token]) -> tuple[Block | AudienceBlock, ...]:
    """Group top-level tokens into blocks, in order.

    Raises:
        InputError: A ``:::`` block has the wrong content.
    """
    found: list[Block | AudienceBlock] = []
    prose: list[Token] = []
    element: list[Token] = []
    depth = 0
    for token in tokens:
        element.append(token)
        depth += token.nesting
        if depth:
            continue
        kind = element[0].type
        if kind in ("table_open", "container_open"):
            found += _prose(prose)
            prose = []
            found.append(_table(element) if kind == "table_open" else _container(element))
        else:
            prose += element
        element = []
    return (*found, *_prose(prose))


def inlines(blocks: Iterable[Block | AudienceBlock]) -> Iterator[Token]:
    """Yield every inline token of these blocks, in reading order."""
    for block in blocks:
        match block:
            case Prose(tokens=tokens):
                yield from (t for t in tokens if t.type == "inline")
            case DataTable(head=head, rows=rows):
                yield from head
                for row in rows:
                    yield from row
            case Bars(title=title, bars=bars):
                yield title
                yield from (bar.label for bar in bars)
            case Study(title=title, rows=pairs):
                yield title
                yield from (text for _, text in pairs)
            case Glance(title=title, facts=facts):
                yield title
                yield from facts
            case Note(title=title, tokens=tokens):
                yield title
                yield from (t for t in tokens if t.type == "inline")
            case AudienceBlock(blocks=inner):
                yield from inlines(inner)


def _prose(tokens: list[Token]) -> tuple[Prose, ...]:
    return (Prose(tuple(tokens), place(tokens[0])),) if tokens else ()


def _table(element: list[Token]) -> DataTable:
    align: list[str] = []
    rows: list[tuple[Token, ...]] = []
    cells: list[Token] = []
    for token in element:
        if token.type == "th_open":
            # markdown-it tells the alignment as CSS only.
            align.append(str(token.attrs.get("style", "")).removeprefix("text-align:"))
        elif token.type == "inline":
            cells.append(token)
        elif token.type == "tr_close":
            rows.append(tuple(cells))
            cells = []
    return DataTable(rows[0], tuple(rows[1:]), place(element[0]), tuple(align))


def _container(element: list[Token]) -> Block | AudienceBlock:
    opening, title, *inside, _ = element
    line = place(opening)
    if not inside:
        raise InputError(f"::: {opening.info} is empty", line=line, fix="fill it or remove it")
    match opening.info:
        case "audience":
            topic = _TOPIC.fullmatch(opening.meta["title"])
            # 80 as in `Slug`: the topic is the name of a list.
            if not topic or len(topic[1]) > 80:
                raise InputError(
                    "::: audience names no topic",
                    line=line,
                    fix="write ::: audience topic=NAME, in lowercase letters, digits and hyphens",
                )
            blocks = tuple(b for b in group(inside) if not isinstance(b, AudienceBlock))
            return AudienceBlock(topic[1], blocks, line)
        case "note":
            return Note(title, tuple(inside), line)
        case "bars":
            bars: list[Bar] = []
            for item in _items(inside, "bars"):
                value = item.meta["head"]
                share = _PERCENT.fullmatch(value)
                if not share:
                    raise InputError(
                        "a row of ::: bars has no percentage before the |",
                        line=place(item),
                        fix="write - 67 % | words",
                    )
                percent = float(share[2].replace(",", "."))
                if percent > 100 or share[1] in ("-", "−"):
                    raise InputError(
                        f"{value} is not a share of a whole",
                        line=place(item),
                        fix="use 0 % to 100 %",
                    )
                bars.append(Bar(percent, value, item, place(item)))
            return Bars(title, tuple(bars), line)
        case "study":
            items = _items(inside, "study")
            return Study(title, tuple((item.meta["head"], item) for item in items), line)
        case _:
            return Glance(title, tuple(_items(inside, "glance")), line)


def _items(inside: list[Token], kind: str) -> list[Token]:
    items: list[Token] = []
    expected, depth = 0, 0
    for token in inside:
        if token.type == "inline":
            items.append(token)
        elif token.type in ("list_item_open", "list_item_close"):
            depth += token.nesting
            expected += token.nesting == 1
        nested = depth > 1 or len(items) > expected
        empty = token.type == "list_item_close" and len(items) < expected
        # The mail draws one row per item: anything else would be left out of it.
        if token.type not in _LIST or nested or empty:
            raise InputError(
                f"::: {kind} must contain one plain list and nothing else",
                line=place(token),
                fix=f"write lines like {_ROWS[kind]}",
            )
    return items
