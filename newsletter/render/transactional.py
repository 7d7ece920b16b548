"""Mail from a template alone, such as a confirmation: no article, and two tokens at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from newsletter.i18n.catalog import catalogs_of
from newsletter.i18n.languages import direction
from newsletter.render.compile import sender_of
from newsletter.render.digest import digest_of
from newsletter.render.inline import inline_styles
from newsletter.render.mail import FONTS, mjml_to_html
from newsletter.render.model import CompiledIssue, Part, SlotKind, Variant
from newsletter.render.split import Placeholder, Placeholders, split_html, split_text
from newsletter.render.template_context import own_language
from newsletter.render.templates import render_template
from newsletter.settings.model import Settings

_PREFIX = "QZTOKEN"


def placeholder(number: int) -> str:
    """What a template gets in place of a token, which differs for each recipient.

    Args:
        number: From 0 to 9.
    """
    return f"{_PREFIX}0{number}X"


def compile_message(
    settings: Settings,
    name: str,
    lang: str,
    values: Mapping[str, object],
    tokens: Mapping[str, str],
) -> CompiledIssue:
    """Compile ``templates/email/{name}.mjml`` and ``.txt``.

    Args:
        settings: The publication and its colors.
        name: The template.
        lang: The mail's language (RFC 5646).
        values: The template's values; at least ``subject``, ``title`` and ``preheader``.
        tokens: Each `placeholder` in the values, to the name of its slot.

    Raises:
        InputError: A template is wrong, or has a token where none is allowed.
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

    known = {mark: Placeholder(slot, "", None, SlotKind.TOKEN) for mark, slot in tokens.items()}
    marks = Placeholders(_PREFIX, Path(f"templates/email/{name}.mjml"), known)
    variant = Variant(
        topics=frozenset(),
        subject=Part((str(values["subject"]),)),
        preheader=Part((str(values["preheader"]),)),
        html=split_html(inline_styles(html, css), marks),
        text=split_text(text, marks),
    )
    compiled = CompiledIssue(
        slug=name,
        lang=lang,
        date="",
        title=str(values["title"]),
        sender=sender_of(settings),
        variants=(variant,),
        images=(),
        archive_html="",
        digest="",
    )
    return replace(compiled, digest=digest_of(compiled))
