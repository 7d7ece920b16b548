"""Blocks of an article as HTML for the mail: tables where Outlook needs them, classes for CSS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import chain, repeat

from markdown_it.token import Token

from newsletter.content.model import (
    Bar,
    Bars,
    Block,
    DataTable,
    Glance,
    Note,
    Prose,
    Reference,
    Study,
)
from newsletter.render.html import Writer


def write_references(references: Iterable[Reference], writer: Writer) -> str:
    """The reference list. Each entry has a name as well as an id, since clients honour either."""
    items = (
        f'<li value="{r.number}"><a name="ref-{r.number}" id="ref-{r.number}"></a>'
        f"{writer.render_inline(r.entry, r.line)}</li>"
        for r in references
    )
    return f'<ol class="references">{"".join(items)}</ol>'


def write_plain(text: str, attributes: str = "") -> str:
    """Plain text as paragraphs, word for word; each has the attributes, a blank before them."""
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    return "".join(f"<p{attributes}>{escape(part, quote=False)}</p>" for part in paragraphs if part)


def write_block(block: Block, writer: Writer, level: int) -> str:
    """One block of the article."""
    match block:
        case Prose():
            return writer.render_tokens(block.tokens)
        case DataTable():
            return _table(block, writer)
        case Bars():
            return _bars(block, writer)
        case Study():
            return _box("study", _title(block.title, writer, level) + _rows(block, writer))
        case Glance():
            return _box("glance", _title(block.title, writer, level) + _facts(block, writer))
        case Note():
            body = writer.render_tokens(block.tokens)
            return _box("note", _title(block.title, writer, level) + body)


def _box(kind: str, content: str) -> str:
    return (
        '<div class="box"><table role="presentation" width="100%" cellpadding="0" cellspacing="0">'
        f'<tr><td class="{kind}">{content}</td></tr></table></div>'
    )


def _title(title: Token, writer: Writer, level: int) -> str:
    text = writer.render_inline(title)
    return f'<h{level} class="box-title">{text}</h{level}>' if text else ""


def _facts(block: Glance, writer: Writer) -> str:
    facts = (f"<li>{writer.render_inline(fact, block.line)}</li>" for fact in block.facts)
    return f"<ul>{''.join(facts)}</ul>"


def _rows(block: Study, writer: Writer) -> str:
    rows = (
        f"<dt>{escape(label, quote=False)}</dt><dd>{writer.render_inline(text, block.line)}</dd>"
        for label, text in block.rows
    )
    return f"<dl>{''.join(rows)}</dl>"


def _bars(block: Bars, writer: Writer) -> str:
    largest = max((bar.percent for bar in block.bars), default=0.0)
    bars = "".join(_bar(bar, writer, bar.percent == largest) for bar in block.bars)
    title = writer.render_inline(block.title, block.line)
    named = f'<p class="bars-title">{title}</p>' if title else ""
    return f'<div class="bars">{named}{bars}</div>'


def _bar(bar: Bar, writer: Writer, largest: bool) -> str:
    label = writer.render_inline(bar.label, bar.line)
    value = f'<strong class="value{" warm" if largest else ""}">{escape(bar.value)}</strong>'
    return f'<p class="bar-label">{value} {label}</p>{_strip(bar.percent, largest)}'


def _strip(percent: float, largest: bool) -> str:
    share = min(max(round(percent), 0), 100)
    fill = f'<td width="{share}%" class="{"fill-warm" if largest else "fill"}">&nbsp;</td>'
    rest = f'<td width="{100 - share}%" class="track">&nbsp;</td>'
    return (
        '<table role="presentation" aria-hidden="true" class="bar" width="100%"'
        f' cellpadding="0" cellspacing="0"><tr>{fill if share else ""}'
        f"{rest if share < 100 else ''}</tr></table>"
    )


def _table(block: DataTable, writer: Writer) -> str:
    head = write_cells("th", block.head, block, writer)
    rows = "".join(f"<tr>{write_cells('td', row, block, writer)}</tr>" for row in block.rows)
    kind = "data wide" if len(block.head) > 4 else "data"
    return (
        f'<div class="box"><table class="{kind}" width="100%" cellpadding="0" cellspacing="0">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def write_cells(tag: str, cells: Sequence[Token], block: DataTable, writer: Writer) -> str:
    """One row's cells, each of its column's alignment."""
    opening = '<th scope="col"' if tag == "th" else "<td"
    classes = (f' class="{align}"' if align else "" for align in chain(block.align, repeat("")))
    return "".join(
        f"{opening}{kind}>{writer.render_inline(cell, block.line)}</{tag}>"
        for cell, kind in zip(cells, classes, strict=False)
    )
