"""One compiled issue as files, for one sample reader: what `./send.py render` writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TypedDict

from newsletter.campaign.context import AppContext
from newsletter.campaign.mailer import make_composer
from newsletter.delivery.model import Delivery
from newsletter.render.model import CompiledIssue
from newsletter.render.slots import preview_part
from newsletter.settings.model import Settings


def sample_values(settings: Settings) -> dict[str, str]:
    """The sample values of merge fields in `newsletter.toml`, for previews and test mails."""
    return {name: field.sample for name, field in settings.merge_fields.items()}


class RenderSummary(TypedDict):
    """The content of compiled.json: sizes are in bytes, ``variants`` are sets of topics."""

    digest: str
    slug: str
    variants: list[list[str]]
    html_bytes: int
    text_bytes: int
    message_bytes: int
    slots: list[str]
    images: list[str]


def render_files(compiled: CompiledIssue, app: AppContext, out: Path) -> RenderSummary:
    """Write index.html, text.txt, message.eml, archive.html, compiled.json and the images."""
    settings = app.settings
    media = out / "media"
    media.mkdir(parents=True, exist_ok=True)
    for image in compiled.images:
        shutil.copyfile(settings.root / image.path, media / f"{image.sha256}{image.suffix}")
    # Proof links: nobody can be unsubscribed with a file that is passed on.
    values = sample_values(settings)
    composer = make_composer(app, compiled, proof=True)
    message = composer(Delivery(0, 1, 0, "reader@sample.example", 0, values))
    variant = compiled.variants[0]
    html = local_media(preview_part(variant.html, values), settings.publication.public_url)
    text = preview_part(variant.text, values)
    (out / "index.html").write_text(html, encoding="utf-8")
    (out / "text.txt").write_text(text, encoding="utf-8")
    (out / "message.eml").write_bytes(message.data)
    (out / "archive.html").write_text(compiled.archive_html, encoding="utf-8")
    summary = RenderSummary(
        digest=compiled.digest,
        slug=compiled.slug,
        variants=[sorted(variant.topics) for variant in compiled.variants],
        html_bytes=len(html.encode()),
        text_bytes=len(text.encode()),
        message_bytes=len(message.data),
        slots=sorted(compiled.merge_fields),
        images=[f"{image.sha256}{image.suffix}" for image in compiled.images],
    )
    (out / "compiled.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return summary


def local_media(html: str, public_url: str) -> str:
    """Point hosted images to the folder beside the page, so that viewing it fetches nothing."""
    return html.replace(f"{public_url}/media/", "media/")
