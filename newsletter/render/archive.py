"""The article as a page of the web: real headings, no layout tables, links back, no reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from string import ascii_lowercase

from markdown_it.token import Token

from newsletter.content.model import (
    Bar,
    Bars,
    Block,
    DataTable,
    Glance,
    Issue,
    Note,
    Prose,
    Reference,
    Study,
)
from newsletter.render.blocks_html import write_cells, write_plain
from newsletter.render.html import Writer, write_blocks, write_picture
from newsletter.render.images import ImageCollector, Picture
from newsletter.render.template_context import TemplateContext
from newsletter.settings.model import Settings

WIDEST = 1200
"""CSS pixels of the widest picture: the page's own stylesheet scales it down."""

_ARROW = "\u21a9\ufe0e"
"""The variation selector keeps it a letter: many systems would draw an emoji."""


class _ArchiveWriter(Writer):
    """Gives each citation an id, so that its reference can link back to it."""

    def __init__(self, numbers: Mapping[str, int], gallery: ImageCollector, width: int) -> None:
        super().__init__(numbers, gallery, width)
        self.cited: dict[int, int] = {}

    def _anchor(self, number: int) -> str:
        self.cited[number] = self.cited.get(number, 0) + 1
        return f' id="cite-{number}-{self.cited[number]}"'

    def _picture(self, picture: Picture, alt: str) -> str:
        return write_picture(picture, alt)


def write_archive(
    page: TemplateContext, issue: Issue, settings: Settings, gallery: ImageCollector
) -> str:
    """The article below its page's ``<h1>``, from the standfirst to the disclaimer.

    Placeholders of merge fields still stand in it.
    """
    writer = _ArchiveWriter(issue.numbers, gallery, WIDEST)
    body = write_blocks(page.blocks, writer, _block)
    pieces = [
        _standfirst(issue),
        _byline(issue),
        _hero(page),
        body,
        _action(issue, settings),
        _references(issue.cited, writer),
        f'<aside class="disclaimer"><h2>Disclaimer</h2>{write_plain(page.disclaimer)}</aside>'
        if page.disclaimer
        else "",
    ]
    return "\n".join(piece for piece in pieces if piece) + "\n"


def _standfirst(issue: Issue) -> str:
    text = issue.meta.standfirst
    return f'<p class="standfirst">{escape(text, quote=False)}</p>' if text else ""


def _byline(issue: Issue) -> str:
    author = issue.meta.author
    return f'<p class="small">By {escape(author, quote=False)}</p>' if author else ""


def _hero(page: TemplateContext) -> str:
    hero = page.values["hero"]
    if not isinstance(hero, Picture):
        return ""
    image = write_picture(hero, str(page.values["hero_alt"]))
    return f'<figure class="hero">{image}</figure>'


def _action(issue: Issue, settings: Settings) -> str:
    action = issue.meta.call_to_action
    link = (
        f'<a class="button" href="{escape(action.url)}">{escape(action.label)}</a>'
        if action
        else ""
    )
    phones = " or ".join(
        f'<a href="tel:{phone.number}">{escape(phone.label)}</a>'
        for phone in settings.publication.phones
    )
    call = f"Call {phones}" if phones else ""
    inside = "".join(f"<p>{part}</p>" for part in (link, call) if part)
    return f'<div class="action">{inside}</div>' if inside else ""


def _references(references: Iterable[Reference], writer: _ArchiveWriter) -> str:
    items = "".join(
        f'<li id="ref-{r.number}" value="{r.number}">{writer.render_inline(r.entry, r.line)}'
        f"{_back(r.number or 0, writer)}</li>"
        for r in references
    )
    if not items:
        return ""
    return f'<section class="references"><h2>References</h2><ol>{items}</ol></section>'


def _back(number: int, writer: _ArchiveWriter) -> str:
    """An arrow back to the only citation; behind one arrow a letter for each of several."""
    count = writer.cited.get(number, 0)
    if not count:
        return ""
    if count == 1:
        links = (
            f'<a href="#cite-{number}-1" aria-label="Back to the citation of reference {number}">'
            f"{_ARROW}</a>"
        )
        return f' <span class="back">{links}</span>'
    links = " ".join(
        f'<a href="#cite-{number}-{time}"'
        f' aria-label="Back to citation {_letter(time)} of reference {number}">{_letter(time)}</a>'
        for time in range(1, count + 1)
    )
    return f' <span class="back"><span aria-hidden="true">{_ARROW}</span> {links}</span>'


def _letter(time: int) -> str:
    """a, b, c …, after z comes a1: a number could be taken for that of another reference."""
    again, letter = divmod(time - 1, len(ascii_lowercase))
    return f"{ascii_lowercase[letter]}{again or ''}"


def _block(block: Block, writer: Writer, level: int) -> str:
    match block:
        case Prose():
            return writer.render_tokens(block.tokens)
        case DataTable():
            return _table(block, writer)
        case Bars():
            return _bars(block, writer)
        case Study():
            rows = "".join(
                f"<dt>{escape(label, quote=False)}</dt><dd>{writer.render_inline(text)}</dd>"
                for label, text in block.rows
            )
            return _aside("study", _title(block.title, writer, level) + f"<dl>{rows}</dl>")
        case Glance():
            facts = "".join(f"<li>{writer.render_inline(fact)}</li>" for fact in block.facts)
            return _aside("glance", _title(block.title, writer, level) + f"<ul>{facts}</ul>")
        case Note():
            title = _title(block.title, writer, level)
            return _aside("note", title + writer.render_tokens(block.tokens))


def _aside(kind: str, content: str) -> str:
    return f'<div class="{kind}">{content}</div>'


def _title(title: Token, writer: Writer, level: int) -> str:
    text = writer.render_inline(title)
    return f"<h{level}>{text}</h{level}>" if text else ""


def _bars(block: Bars, writer: Writer) -> str:
    bars = "".join(_bar(bar, writer) for bar in block.bars)
    title = writer.render_inline(block.title)
    caption = f"<figcaption>{title}</figcaption>" if title else ""
    return f'<figure class="bars">{caption}<ul>{bars}</ul></figure>'


def _bar(bar: Bar, writer: Writer) -> str:
    share = f"{min(max(bar.percent, 0), 100):g}"
    picture = (
        '<svg viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="track" width="100" height="2"/><rect width="{share}" height="2"/></svg>'
    )
    value = f"<strong>{escape(bar.value)}</strong>"
    return f"<li>{value} {writer.render_inline(bar.label)}{picture}</li>"


def _table(block: DataTable, writer: Writer) -> str:
    head = write_cells("th", block.head, block, writer)
    rows = "".join(f"<tr>{write_cells('td', row, block, writer)}</tr>" for row in block.rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
