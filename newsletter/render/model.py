"""What an article compiles to. Nothing here depends on a recipient."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class SlotKind(StrEnum):
    """Where a merge slot is, which determines how its value is written."""

    TEXT = "text"
    """Plain text: subject, preheader, the text part."""
    HTML = "html"
    """HTML text or a quoted attribute: ``& < > " '`` escaped."""
    URL_PART = "url-part"
    """A path segment or query value: percent-encoded, nothing safe."""
    URL = "url"
    """A whole https URL in an attribute."""
    TEXT_URL = "text-url"
    """A whole https URL in the text part."""
    TOKEN = "token"  # noqa: S105
    """URL-safe by construction: written unchanged."""


UNSUBSCRIBE_TOKEN = "unsubscribe_token"  # noqa: S105
"""The reserved slot of kind TOKEN behind ``{public_url}/u/``."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of one value: the merge field's name, and what it shows if there is no value."""

    name: str
    kind: SlotKind
    default: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Text split at its slots: ``len(segments) == len(slots) + 1``, and they alternate."""

    segments: tuple[str, ...]
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True)
class Image:
    """A picture in the mail, hosted at ``{public_url}/media/{sha256}{suffix}``.

    ``path`` is relative to the project's folder (`Settings.root`), so that a stored issue is valid
    on every machine; ``size`` is in bytes, ``width`` and ``height`` are the file's own pixels.
    """

    sha256: str
    suffix: str
    path: Path
    size: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Variant:
    """The mail for subscribers of exactly these topics (of those the article has blocks for)."""

    topics: frozenset[str]
    subject: Part
    preheader: Part
    html: Part
    text: Part


@dataclass(frozen=True, slots=True)
class Sender:
    """The header values that the digest covers."""

    from_name: str
    from_address: str
    reply_to: str
    list_id: str
    list_name: str
    public_url: str


@dataclass(frozen=True, slots=True)
class CompiledIssue:
    """An issue ready to send: immutable, identified by its digest.

    ``variants`` holds one per subset of the topics that the article has blocks for; without such
    blocks, exactly one. ``archive_html`` is the article for the web, below its page's ``<h1>``.
    ``digest`` is the SHA-256 (hex) over all of it: every variant's subject, preheader, HTML and
    text with their slots, the sender, the author, the archive page and the image hashes.
    """

    slug: str
    lang: str
    date: str
    title: str
    sender: Sender
    variants: tuple[Variant, ...]
    images: tuple[Image, ...]
    archive_html: str
    digest: str
    author: str = ""

    @property
    def merge_fields(self) -> frozenset[str]:
        """The merge fields used anywhere, except reserved slots."""
        return frozenset(
            slot.name
            for variant in self.variants
            for part in (variant.subject, variant.preheader, variant.html, variant.text)
            for slot in part.slots
            if slot.kind is not SlotKind.TOKEN
        )
