"""A compiled issue as bytes, to store what was approved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from newsletter.errors import InputError
from newsletter.render.digest import canonical, digest_of, plain
from newsletter.render.model import CompiledIssue, Image, Part, Sender, Slot, SlotKind, Variant

FORMAT = 1


def serialize(compiled: CompiledIssue) -> bytes:
    """The canonical JSON of a compiled issue: equal issues give equal bytes."""
    return canonical({"format": FORMAT, "digest": compiled.digest, **plain(compiled)})


def deserialize(data: bytes) -> CompiledIssue:
    """Restore a compiled issue from the output of `serialize`.

    Raises:
        InputError: It is not a compiled issue, or was changed since it was written.
    """
    try:
        compiled = _issue(json.loads(data))
    # What is not one fails somewhere on the way: a type, a key or a value.
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError("this is not a compiled issue", fix="approve the issue again") from None
    if digest_of(compiled) != compiled.digest:
        raise InputError(
            "the compiled issue was changed after it was stored", fix="approve the issue again"
        )
    return compiled


def _issue(data: Mapping[str, Any]) -> CompiledIssue:
    if data["format"] != FORMAT:
        raise ValueError("another format")
    return CompiledIssue(
        slug=data["slug"],
        lang=data["lang"],
        date=data["date"],
        title=data["title"],
        sender=Sender(**data["sender"]),
        variants=tuple(
            Variant(
                topics=frozenset(variant["topics"]),
                **{name: _part(variant[name]) for name in ("subject", "preheader", "html", "text")},
            )
            for variant in data["variants"]
        ),
        images=tuple(Image(**{**image, "path": Path(image["path"])}) for image in data["images"]),
        archive_html=data["archive_html"],
        digest=data["digest"],
        # Issues stored before there was an author have none.
        author=data.get("author", ""),
    )


def _part(data: Mapping[str, Any]) -> Part:
    slots = (Slot(slot["name"], SlotKind(slot["kind"]), slot["default"]) for slot in data["slots"])
    return Part(tuple(data["segments"]), tuple(slots))
