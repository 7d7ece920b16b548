"""The digest of a compiled issue, which an approval is bound to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from newsletter.render.model import CompiledIssue


def digest_of(compiled: CompiledIssue) -> str:
    """The SHA-256 (hex) of all that recipients, the archive and the headers show."""
    # A picture counts by its content: moving its file does not undo an approval.
    data = plain(compiled)
    data["images"] = [image["sha256"] + image["suffix"] for image in data["images"]]
    return hashlib.sha256(canonical(data)).hexdigest()


def plain(compiled: CompiledIssue) -> dict[str, Any]:
    """A compiled issue as JSON values, without its digest."""
    data = asdict(compiled)
    del data["digest"]
    # Issues stored before there was an author must keep their digest.
    if not compiled.author:
        del data["author"]
    for variant in data["variants"]:
        variant["topics"] = sorted(variant["topics"])
    for image in data["images"]:
        image["path"] = image["path"].as_posix()
    return data


def canonical(data: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys and no whitespace, in UTF-8."""
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()
