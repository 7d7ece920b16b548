"""Blocks of an article as HTML for the mail: tables for Outlook, classes for the stylesheet."""

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
    """The reference list."""
    # A name as well as an id: some clients follow only one of them.
    items = (
        f'<li value="{r.number}"><a name="ref-{r.number}" id="ref-{r.number}"></a>'
        f"{writer.render_inline(r.entry, r.line)}</li>"
        for r in references
    )
    return f'<ol class="references">{"".join(items)}</ol>'


def write_plain(text: str, attributes: str = "") -> str:
    """Plain text as paragraphs, word for word.

    Args:
        text: Paragraphs, separated by empty lines.
        attributes: Of each paragraph, with a space before them.
    """
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    return "".join(f"<p{attributes}>{escape(part, quote=False)}</p>" for part in paragraphs if part)


def write_block(block: Block, writer: Writer, level: int) -> str:
    """One block of the article."""
    match block:
        case Prose():
            return writer.render_tokens(block.tokens)
        case DataTable():
            head = write_cells("th", block.head, block, writer)
            rows = "".join(
                f"<tr>{write_cells('td', row, block, writer)}</tr>" for row in block.rows
            )
            kind = "data wide" if len(block.head) > 4 else "data"
            return (
                f'<div class="box"><table class="{kind}" width="100%" cellpadding="0"'
                f' cellspacing="0"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
                "</div>"
            )
        case Bars():
            title = writer.render_inline(block.title, block.line)
            heading = f'<p class="bars-title">{title}</p>' if title else ""
            largest = max((bar.percent for bar in block.bars), default=0.0)
            bars = "".join(_bar(bar, writer, bar.percent == largest) for bar in block.bars)
            return f'<div class="bars">{heading}{bars}</div>'
        case Study():
            title = _title(block.title, writer, level)
            rows = "".join(
                f"<dt>{escape(label, quote=False)}</dt>"
                f"<dd>{writer.render_inline(text, block.line)}</dd>"
                for label, text in block.rows
            )
            return _box("study", f"{title}<dl>{rows}</dl>")
        case Glance():
            title = _title(block.title, writer, level)
            facts = "".join(
                f"<li>{writer.render_inline(fact, block.line)}</li>" for fact in block.facts
            )
            return _box("glance", f"{title}<ul>{facts}</ul>")
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


def _bar(bar: Bar, writer: Writer, largest: bool) -> str:
    label = writer.render_inline(bar.label, bar.line)
    value = f'<strong class="value{" warm" if largest else ""}">{escape(bar.value)}</strong>'
    # A table, since Outlook ignores the width of a div. A cell of width 0 would still show.
    share = min(max(round(bar.percent), 0), 100)
    fill = f'<td width="{share}%" class="{"fill-warm" if largest else "fill"}">&nbsp;</td>'
    rest = f'<td width="{100 - share}%" class="track">&nbsp;</td>'
    return (
        f'<p class="bar-label">{value} {label}</p>'
        '<table role="presentation" aria-hidden="true" class="bar" width="100%"'
        f' cellpadding="0" cellspacing="0"><tr>{fill if share else ""}'
        f"{rest if share < 100 else ''}</tr></table>"
    )


def write_cells(tag: str, cells: Sequence[Token], block: DataTable, writer: Writer) -> str:
    """One row's cells, each aligned like its column."""
    opening = '<th scope="col"' if tag == "th" else "<td"
    classes = (f' class="{align}"' if align else "" for align in chain(block.align, repeat("")))
    return "".join(
        f"{opening}{kind}>{writer.render_inline(cell, block.line)}</{tag}>"
        for cell, kind in zip(cells, classes, strict=False)
    )
