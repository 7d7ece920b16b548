"""The same issue for everybody: as templates to fill, and as one finished message."""

from __future__ import annotations

from pathlib import Path

from benchmarks.delivery.people import person
from benchmarks.delivery.project import Project
from newsletter.audience.keys import Keys
from newsletter.audience.tokens import TokenSigner
from newsletter.campaign.build import build
from newsletter.delivery.compose.composer import Composer
from newsletter.delivery.model import Delivery
from newsletter.render.model import Part
from newsletter.settings.load import load_settings


def write_templates(project: Project, folder: Path) -> tuple[int, int]:
    """Write ``subject``, ``text`` and ``html`` with ``{{ name }}`` fields, and ``message``.

    Returns:
        Octets of the HTML part, and of the whole message as it goes over the wire.
    """
    settings = load_settings(project.folder / "newsletter.toml")
    compiled = build(project.issue, settings).compiled
    variant = compiled.variants[0]
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("subject", "text", "html"):
        (folder / name).write_text(_template(getattr(variant, name)), encoding="utf-8")
    signer = TokenSigner(Keys(b"s" * 32, b"p" * 32))
    composer = Composer(compiled, signer=signer, bounce_address="", proof=False, campaign_id=1)
    values = person(0)
    message = composer(Delivery(1, 1, 1001, values["email"], 0, values)).data
    (folder / "message").write_bytes(message)
    return len((folder / "html").read_bytes()), len(message)


def _template(part: Part) -> str:
    plain = "".join(part.segments)
    assert not any(mark in plain for mark in ("{{", "{%", "{#"))
    fields = [f"{{{{ {slot.name} }}}}" for slot in part.slots]
    return "".join(a + b for a, b in zip(part.segments, [*fields, ""], strict=True))
