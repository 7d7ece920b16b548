"""The mail's HTML: templates, MJML, the article inserted, styles inlined."""

from __future__ import annotations

from html import escape

from markupsafe import Markup
from mjml import mjml2html

from newsletter.content.model import PLACEHOLDERS, Issue
from newsletter.errors import InputError
from newsletter.i18n.catalog import Translator
from newsletter.render.blocks_html import write_block, write_plain, write_references
from newsletter.render.html import Writer, write_blocks
from newsletter.render.images import ImageCollector
from newsletter.render.inline import inline_styles
from newsletter.render.template_context import TemplateContext, own_language
from newsletter.render.templates import render_template
from newsletter.settings.model import Settings

CONTENT_WIDTH = 520
"""CSS pixels of the card's text column at its widest."""

# System fonts only: a web font would tell a third party who opens the mail.
FONTS = {
    "sans": "-apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif",
    "serif": "Georgia, 'Times New Roman', serif",
}
# Merge fields count from 0; the last number is the unsubscribe token's.
_FIRST_PIECE = PLACEHOLDERS - 2
_ROLE = 'aria-roledescription="{}"'


def write_mail(
    page: TemplateContext, issue: Issue, settings: Settings, gallery: ImageCollector
) -> str:
    """Write the HTML part, with placeholders for merge fields.

    Raises:
        InputError: A template, a picture or a setting is wrong.
    """
    writer = Writer(issue.numbers, gallery, CONTENT_WIDTH, page.words)
    pieces = {
        "article": write_blocks(page.blocks, writer, write_block),
        "references": write_references(issue.cited, writer) if issue.cited else "",
        "disclaimer": write_plain(page.disclaimer, page.disclaimer_language),
    }
    # The article is inserted after MJML, whose compiler passes errors in it through in silence.
    marks = {
        name: issue.placeholder(_FIRST_PIECE - index) if html else ""
        for index, (name, html) in enumerate(pieces.items())
    }
    lang, rtl = issue.meta.lang, issue.meta.dir == "rtl"
    values = {
        **page.values,
        "pieces": {name: Markup(mark) for name, mark in marks.items()},  # noqa: S704
        "lang": lang,
        "dir": issue.meta.dir,
        "own_language": own_language(settings, lang),
        # MJML does not support "auto", nor Outlook "start".
        "direction": "rtl" if rtl else "ltr",
        "start": "right" if rtl else "left",
        "theme": settings.theme,
        "fonts": FONTS,
    }
    mjml = render_template(settings.root, f"email/{issue.meta.template}.mjml", values, page.words)
    html = mjml_to_html(mjml, f"templates/email/{issue.meta.template}.mjml", page.words)
    for name, mark in marks.items():
        html = html.replace(mark, pieces[name]) if mark else html
    css = render_template(settings.root, "email/styles.css", values, page.words)
    return inline_styles(html, css)


def mjml_to_html(mjml: str, file: str, words: Translator) -> str:
    """Compile MJML.

    Args:
        mjml: The whole mail.
        file: The template it comes from, for errors.
        words: Translates into the mail's language.

    Raises:
        InputError: It does not compile.
    """
    _ = words
    try:
        # Without ``fonts={}`` the compiler adds a link to Google Fonts.
        html = str(mjml2html(mjml, fonts={}))
    except ValueError as error:
        raise InputError(
            f"MJML does not compile: {error}",
            file=file,
            fix="look for an unclosed tag, here or in an included template",
        ) from None
    # MJML writes this word in English, and screen readers say it (WAI-ARIA 1.2,
    # aria-roledescription: authors must localize it).
    return html.replace(_ROLE.format("email"), _ROLE.format(escape(_("email"))), 1)
