"""One compiled issue as files, for one sample reader: what `send.py render` writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from newsletter.audience.tokens import TokenSigner
from newsletter.campaign.context import AppContext
from newsletter.delivery.compose.composer import Composer
from newsletter.delivery.model import Delivery
from newsletter.render.model import CompiledIssue
from newsletter.render.slots import preview_part
from newsletter.settings.model import Settings


def sample_values(settings: Settings) -> dict[str, str]:
    """What previews and test mails show in merge fields: the samples of `newsletter.toml`."""
    return {name: field.sample for name, field in settings.merge_fields.items()}


def render_files(compiled: CompiledIssue, app: AppContext, out: Path) -> dict[str, Any]:
    """Write index.html, text.txt, message.eml, archive.html, compiled.json and the images.

    Returns:
        What compiled.json holds: digest, sizes in bytes, slots.
    """
    settings = app.settings
    media = out / "media"
    media.mkdir(parents=True, exist_ok=True)
    for image in compiled.images:
        shutil.copyfile(settings.root / image.path, media / f"{image.sha256}{image.suffix}")
    composer = Composer(
        compiled,
        signer=TokenSigner(app.keys),
        bounce_address=settings.bounce_address,
        proof=True,
        campaign_id=0,
    )
    values = sample_values(settings)
    message = composer(Delivery(0, 1, 0, "reader@sample.example", 0, values))
    variant = compiled.variants[0]
    html = local_media(preview_part(variant.html, values), settings.publication.public_url)
    text = preview_part(variant.text, values)
    (out / "index.html").write_text(html, encoding="utf-8")
    (out / "text.txt").write_text(text, encoding="utf-8")
    (out / "message.eml").write_bytes(message.data)
    (out / "archive.html").write_text(compiled.archive_html, encoding="utf-8")
    summary = _summary(compiled, html, text, len(message.data))
    (out / "compiled.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return summary


def local_media(html: str, public_url: str) -> str:
    """Point hosted images at the folder beside the page, so that looking fetches nothing."""
    return html.replace(f"{public_url}/media/", "media/")


def _summary(compiled: CompiledIssue, html: str, text: str, message: int) -> dict[str, Any]:
    return {
        "digest": compiled.digest,
        "slug": compiled.slug,
        "variants": [sorted(variant.topics) for variant in compiled.variants],
        "html_bytes": len(html.encode()),
        "text_bytes": len(text.encode()),
        "message_bytes": message,
        "slots": sorted(compiled.merge_fields),
        "images": [f"{image.sha256}{image.suffix}" for image in compiled.images],
    }
