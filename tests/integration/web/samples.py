"""A small compiled issue, and what a preview loads of it."""

from dataclasses import dataclass, field
from pathlib import Path

from newsletter.check.model import Finding, Severity
from newsletter.render.model import (
    UNSUBSCRIBE_TOKEN,
    CompiledIssue,
    Image,
    Part,
    Sender,
    Slot,
    SlotKind,
    Variant,
)

PUBLIC_URL = "https://news.clinic.example"
HEAD = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<meta name="color-scheme" content="light dark"><title>Neck</title><style>
p { color: rgb(1, 2, 3) }
@media (prefers-color-scheme: dark) { p { color: rgb(250, 251, 252) } }
</style></head><body><p id="hello">Hello """
FOOT = f'</p><a id="leave" href="{PUBLIC_URL}/u/'
NOTE = Finding("reading/grade", Severity.NOTE, "issues/neck.md", 9, "Grade 11", "Split it")
BLOCKER = Finding("images/alt", Severity.BLOCKER, "issues/neck.md", 30, "No alt text", "Say it")


@dataclass
class Loaded:
    """What `newsletter.campaign.build` gives, without its work."""

    compiled: CompiledIssue
    issue: object = None
    findings: list[Finding] = field(default_factory=lambda: [NOTE, BLOCKER])


def compiled_issue(title: str, *, extra: str = "", images: tuple[Image, ...] = ()) -> CompiledIssue:
    """One variant that greets by name, with ``extra`` HTML at its end."""
    name = Slot("first_name", SlotKind.TEXT, "Reader")
    pictures = "".join(
        f'<img alt="A neck" src="{PUBLIC_URL}/media/{i.sha256}{i.suffix}">' for i in images
    )
    html = Part(
        (HEAD, FOOT, f'">Unsubscribe</a>{pictures}{extra}</body></html>'),
        (
            Slot("first_name", SlotKind.HTML, "there"),
            Slot(UNSUBSCRIBE_TOKEN, SlotKind.TOKEN),
        ),
    )
    variant = Variant(
        frozenset(),
        subject=Part(("", ", about your neck"), (name,)),
        preheader=Part(("Four muscles",)),
        html=html,
        text=Part(("Dear ", ",\nit is the neck.\n"), (name,)),
    )
    sender = Sender(
        "The Clinic", "letter@clinic.example", "", "letter.clinic.example", "", PUBLIC_URL
    )
    return CompiledIssue(
        "neck", "en", "2026-05-01", title, sender, (variant,), images, "", "d" * 64
    )


def save_picture(folder: Path) -> Image:
    """A real picture, one pixel large, as the render room would name it."""
    import hashlib

    from PIL import Image as Pillow

    file = folder / "neck.png"
    Pillow.new("RGB", (1, 1), "#0B6B6B").save(file)
    data = file.read_bytes()
    return Image(hashlib.sha256(data).hexdigest(), ".png", file, len(data), 1, 1)
