"""The article as a web page: real headings, no layout tables, links back from references."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from string import ascii_lowercase

from markdown_it.token import Token
from markupsafe import Markup
from markupsafe import escape as to_markup

from newsletter.content.model import (
    Bars,
    Block,
    DataTable,
    Glance,
    Issue,
    Note,
    Prose,
    Study,
)
from newsletter.i18n.catalog import Translator
from newsletter.render.blocks_html import write_cells, write_plain
from newsletter.render.html import Writer, write_blocks, write_picture
from newsletter.render.images import ImageCollector, Picture
from newsletter.render.template_context import TemplateContext
from newsletter.settings.model import Settings

WIDEST = 1200
"""CSS pixels of the widest picture; the page's stylesheet scales it down."""

_ARROW = "\u21a9\ufe0e"
"""With a variation selector, since many systems would draw an emoji."""


class _ArchiveWriter(Writer):
    """Gives each citation an id, so that its reference can link back to it."""

    def __init__(
        self, numbers: Mapping[str, int], gallery: ImageCollector, width: int, words: Translator
    ) -> None:
        super().__init__(numbers, gallery, width, words)
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

    It still contains the placeholders of merge fields.
    """
    # The catalog's text is plain in mail and here; on the pages around it, it is markup.
    _ = page.words.writing(to_markup)
    meta = issue.meta
    writer = _ArchiveWriter(issue.numbers, gallery, WIDEST, page.words)
    pieces = []
    if meta.standfirst:
        pieces.append(f'<p class="standfirst">{escape(meta.standfirst, quote=False)}</p>')
    if meta.author:
        author = Markup(escape(meta.author, quote=False))  # noqa: S704
        pieces.append(f'<p class="small">{_("By %(author)s", author=author)}</p>')
    if isinstance(hero := page.values["hero"], Picture):
        image = write_picture(hero, str(page.values["hero_alt"]))
        pieces.append(f'<figure class="hero">{image}</figure>')
    pieces += [
        write_blocks(page.blocks, writer, _block),
        _action(issue, settings, _),
    ]
    # After the blocks: only now does the writer know how often each reference is cited.
    references = "".join(
        f'<li id="ref-{r.number}" value="{r.number}">{writer.render_inline(r.entry, r.line)}'
        f"{_back(r.number or 0, writer, _)}</li>"
        for r in issue.cited
    )
    if references:
        pieces.append(
            f'<section class="references"><h2>{_("References")}</h2><ol>{references}</ol></section>'
        )
    if page.disclaimer:
        text = write_plain(page.disclaimer, page.disclaimer_language)
        pieces.append(f'<aside class="disclaimer"><h2>{_("Disclaimer")}</h2>{text}</aside>')
    return "\n".join(piece for piece in pieces if piece) + "\n"


def _action(issue: Issue, settings: Settings, _: Translator) -> str:
    paragraphs = []
    if action := issue.meta.call_to_action:
        link = f'<a class="button" href="{escape(action.url)}">{escape(action.label)}</a>'
        paragraphs.append(link)
    if phones := settings.publication.phones:
        links = (f'<a href="tel:{p.number}">{escape(p.label)}</a>' for p in phones)
        numbers = Markup(f" {_('or')} ".join(links))  # noqa: S704
        paragraphs.append(_("Call %(numbers)s", numbers=numbers))
    inside = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return f'<div class="action">{inside}</div>' if inside else ""


def _back(number: int, writer: _ArchiveWriter, _: Translator) -> str:
    """An arrow back to a single citation; an arrow and a letter for each of several."""
    count = writer.cited.get(number, 0)
    if not count:
        return ""
    if count == 1:
        label = _("Back to the citation of reference %(number)s", number=number)
        link = f'<a href="#cite-{number}-1" aria-label="{label}">{_ARROW}</a>'
        return f' <span class="back">{link}</span>'
    links = []
    for time in range(1, count + 1):
        # After z comes a1: a number alone could be taken for that of another reference.
        again, index = divmod(time - 1, len(ascii_lowercase))
        letter = f"{ascii_lowercase[index]}{again or ''}"
        label = _(
            "Back to citation %(letter)s of reference %(number)s", letter=letter, number=number
        )
        links.append(f'<a href="#cite-{number}-{time}" aria-label="{label}">{letter}</a>')
    return f' <span class="back"><span aria-hidden="true">{_ARROW}</span> {" ".join(links)}</span>'


def _block(block: Block, writer: Writer, level: int) -> str:
    match block:
        case Prose():
            return writer.render_tokens(block.tokens)
        case DataTable():
            head = write_cells("th", block.head, block, writer)
            rows = "".join(
                f"<tr>{write_cells('td', row, block, writer)}</tr>" for row in block.rows
            )
            return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        case Bars():
            bars = ""
            for bar in block.bars:
                label = writer.render_inline(bar.label)
                share = f"{min(max(bar.percent, 0), 100):g}"
                bars += (
                    f"<li><strong>{escape(bar.value)}</strong> {label}"
                    '<svg viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">'
                    '<rect class="track" width="100" height="2"/>'
                    f'<rect width="{share}" height="2"/></svg></li>'
                )
            title = writer.render_inline(block.title)
            caption = f"<figcaption>{title}</figcaption>" if title else ""
            return f'<figure class="bars">{caption}<ul>{bars}</ul></figure>'
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
