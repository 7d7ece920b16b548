"""A mail from a template alone, for one reader who asked for it: no article, no slots."""

from __future__ import annotations

from collections.abc import Mapping

from newsletter.render.inline import inline_styles
from newsletter.render.mail import FONTS, mjml_to_html
from newsletter.render.templates import render_template
from newsletter.settings.model import Settings


def write_letter(
    settings: Settings, name: str, lang: str, values: Mapping[str, object]
) -> tuple[str, str]:
    """Render ``templates/email/{name}.mjml`` and ``.txt``.

    Args:
        settings: The publication and its colours.
        name: The template.
        lang: The mail's language (RFC 5646), written from left to right.
        values: What the template needs; ``title`` and ``preheader`` at least.

    Returns:
        HTML and plain text.

    Raises:
        InputError: A template is wrong.
    """
    looks = {
        "publication": settings.publication,
        "theme": settings.theme,
        "fonts": FONTS,
        "lang": lang,
        "dir": "ltr",
        "direction": "ltr",
        "start": "left",
    }
    together = {**looks, **values}
    mjml = render_template(settings.root, f"email/{name}.mjml", together)
    html = mjml_to_html(mjml, f"templates/email/{name}.mjml")
    css = render_template(settings.root, "email/styles.css", together)
    text = render_template(settings.root, f"email/{name}.txt", together)
    return inline_styles(html, css), text
