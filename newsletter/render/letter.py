"""A mail from a template alone, for one reader who asked for it: no article, no slots."""

from __future__ import annotations

from collections.abc import Mapping

from newsletter.i18n.catalog import catalogs_of
from newsletter.i18n.languages import direction
from newsletter.render.inline import inline_styles
from newsletter.render.mail import FONTS, mjml_to_html
from newsletter.render.template_context import own_language
from newsletter.render.templates import render_template
from newsletter.settings.model import Settings


def write_letter(
    settings: Settings, name: str, lang: str, values: Mapping[str, object]
) -> tuple[str, str]:
    """Render ``templates/email/{name}.mjml`` and ``.txt``.

    Args:
        settings: The publication and its colours.
        name: The template.
        lang: The mail's language (RFC 5646).
        values: What the template needs; ``title`` and ``preheader`` at least.

    Returns:
        HTML and plain text.

    Raises:
        InputError: A template is wrong.
    """
    words = catalogs_of(settings).plain(lang)
    written = direction(lang)
    looks = {
        "publication": settings.publication,
        "theme": settings.theme,
        "fonts": FONTS,
        "lang": lang,
        "own_language": own_language(settings, lang),
        "dir": written,
        "direction": written,
        "start": "right" if written == "rtl" else "left",
    }
    together = {**looks, **values}
    mjml = render_template(settings.root, f"email/{name}.mjml", together, words)
    html = mjml_to_html(mjml, f"templates/email/{name}.mjml", words)
    css = render_template(settings.root, "email/styles.css", together, words)
    text = render_template(settings.root, f"email/{name}.txt", together, words)
    return inline_styles(html, css), text
