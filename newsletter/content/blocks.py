"""Markdown tokens, grouped into the blocks that an issue is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from markdown_it.token import Token

from newsletter.content.markdown import place
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
        InputError: A box holds something other than it should.
    """
    found: list[Block | AudienceBlock] = []
    prose: list[Token] = []
    for element in _elements(tokens):
        kind = element[0].type
        if kind in ("table_open", "container_open"):
            found += _prose(prose)
            prose = []
            found.append(_table(element) if kind == "table_open" else _box(element))
        else:
            prose += element
    return (*found, *_prose(prose))


def inlines(blocks: Iterable[Block | AudienceBlock]) -> Iterator[Token]:
    """Give every inline token of these blocks, in reading order."""
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


def _elements(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    element: list[Token] = []
    depth = 0
    for token in tokens:
        element.append(token)
        depth += token.nesting
        if depth == 0:
            yield element
            element = []


def _prose(tokens: list[Token]) -> tuple[Prose, ...]:
    return (Prose(tuple(tokens), place(tokens[0])),) if tokens else ()


def _table(element: list[Token]) -> DataTable:
    align: list[str] = []
    rows: list[tuple[Token, ...]] = []
    cells: list[Token] = []
    for token in element:
        if token.type == "th_open":
            align.append(str(token.attrs.get("style", "")).removeprefix("text-align:"))
        elif token.type == "inline":
            cells.append(token)
        elif token.type == "tr_close":
            rows.append(tuple(cells))
            cells = []
    return DataTable(rows[0], tuple(rows[1:]), place(element[0]), tuple(align))


def _box(element: list[Token]) -> Block | AudienceBlock:
    opening, title, *inside, _ = element
    line = place(opening)
    if not inside:
        raise InputError(f"::: {opening.info} is empty", line=line, fix="fill it or remove it")
    match opening.info:
        case "audience":
            return _audience(opening, inside)
        case "note":
            return Note(title, tuple(inside), line)
        case "bars":
            return Bars(title, tuple(_bar(item) for item in _items(inside, "bars")), line)
        case "study":
            items = _items(inside, "study")
            return Study(title, tuple((item.meta["head"], item) for item in items), line)
        case _:
            return Glance(title, tuple(_items(inside, "glance")), line)


def _audience(opening: Token, inside: list[Token]) -> AudienceBlock:
    title = opening.meta["title"]
    found = _TOPIC.fullmatch(title)
    if not found or len(found[1]) > 80:
        raise InputError(
            "::: audience names no topic",
            line=place(opening),
            fix="write ::: audience topic=NAME, in small letters, digits and hyphens",
        )
    blocks = tuple(b for b in group(inside) if not isinstance(b, AudienceBlock))
    return AudienceBlock(found[1], blocks, place(opening))


def _items(inside: list[Token], kind: str) -> list[Token]:
    fix = f"write lines like {_ROWS[kind]}"
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
        if token.type not in _LIST or nested or empty:
            raise InputError(
                f"::: {kind} holds one plain list and nothing else", line=place(token), fix=fix
            )
    return items


def _bar(item: Token) -> Bar:
    value = item.meta["head"]
    found = _PERCENT.fullmatch(value)
    if not found:
        raise InputError(
            "a row of ::: bars has no percentage before the |",
            line=place(item),
            fix="write - 67 % | words",
        )
    percent = float(found[2].replace(",", "."))
    if percent > 100 or found[1] in ("-", "−"):
        raise InputError(
            f"{value} is no share of a whole", line=place(item), fix="give 0 % to 100 %"
        )
    return Bar(percent, value, item, place(item))
