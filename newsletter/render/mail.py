"""The mail's HTML: templates, MJML, the article spliced in, styles inlined."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup
from mjml import mjml2html

from newsletter.content.model import PLACEHOLDERS, Issue
from newsletter.errors import InputError
from newsletter.render.blocks_html import write_block, write_plain, write_references
from newsletter.render.html import Writer, write_blocks
from newsletter.render.images import ImageCollector
from newsletter.render.inline import inline_styles
from newsletter.render.template_context import TemplateContext
from newsletter.render.templates import render_template
from newsletter.settings.model import Settings

CONTENT_WIDTH = 520
"""CSS pixels between the card's sides, where they are widest apart."""

FONTS = {
    "sans": "-apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif",
    "serif": "Georgia, 'Times New Roman', serif",
}
_FIRST_PIECE = PLACEHOLDERS - 2


def write_mail(
    page: TemplateContext, issue: Issue, settings: Settings, gallery: ImageCollector
) -> str:
    """Write the HTML part, placeholders of merge fields still in it.

    Raises:
        InputError: A template, a picture or a setting is wrong.
    """
    writer = Writer(issue.numbers, gallery, CONTENT_WIDTH)
    pieces = {
        "article": write_blocks(page.blocks, writer, write_block),
        "references": write_references(issue.cited, writer) if issue.cited else "",
        "disclaimer": write_plain(page.disclaimer),
    }
    marks = {
        name: issue.placeholder(_FIRST_PIECE - index) if html else ""
        for index, (name, html) in enumerate(pieces.items())
    }
    values = {**page.values, **_looks(issue, settings), "pieces": _safe(marks)}
    mjml = render_template(settings.root, f"email/{issue.meta.template}.mjml", values)
    html = mjml_to_html(mjml, f"templates/email/{issue.meta.template}.mjml")
    for name, mark in marks.items():
        html = html.replace(mark, pieces[name]) if mark else html
    css = render_template(settings.root, "email/styles.css", values)
    return inline_styles(html, css)


def _looks(issue: Issue, settings: Settings) -> dict[str, object]:
    rtl = issue.meta.dir == "rtl"
    return {
        "lang": issue.meta.lang,
        "dir": issue.meta.dir,
        "direction": "rtl" if rtl else "ltr",
        "start": "right" if rtl else "left",
        "theme": settings.theme,
        "fonts": FONTS,
    }


def _safe(marks: Mapping[str, str]) -> dict[str, Markup]:
    return {name: Markup(mark) for name, mark in marks.items()}  # noqa: S704


def mjml_to_html(mjml: str, file: str) -> str:
    """Compile MJML. ``file`` is the template it came from.

    Raises:
        InputError: It does not compile.
    """
    try:
        return str(mjml2html(mjml, fonts={}))
    except ValueError as error:
        raise InputError(
            f"MJML does not compile: {error}",
            file=file,
            fix="look for a tag that is not closed, here or in a partial",
        ) from None
