"""How a recipient's value is written into a slot. Pure; called per slot and recipient."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from urllib.parse import quote

from newsletter.render.model import Part, SlotKind

LONGEST = 1000
"""Characters of one value; the rest is cut off."""

PREVIEW_TOKEN = "preview"  # noqa: S105
"""The token in previews."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOKEN = re.compile(r"[A-Za-z0-9._~-]+")
_HTTPS = re.compile(r"https://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?([/?#].*)?")
_URL_SAFE = "!#$%&'()*+,/:;=?@[]~"


def encode_value(kind: SlotKind, value: str, default: str = "") -> str:
    """Write one value as its place requires.

    Control characters, line ends and line separators become spaces, so that no value can start a
    header or a line of its own; an empty value is replaced by ``default``.

    Args:
        kind: The kind of the slot.
        value: From the subscriber's record; at most 1,000 characters are used.
        default: Used if the value is empty; escaped in the same way.

    Raises:
        ValueError: A token is empty or not URL-safe, which is a bug.
    """
    if kind is SlotKind.TOKEN:
        if not _TOKEN.fullmatch(value):
            raise ValueError("a token is empty or not URL-safe")
        return value
    if kind is SlotKind.URL or kind is SlotKind.TEXT_URL:
        url = _https(_clean(value)) or _https(_clean(default))
        return escape(url, quote=True) if kind is SlotKind.URL else url
    clean = _clean(value) or _clean(default)
    if kind is SlotKind.HTML:
        return escape(clean, quote=True)
    return quote(clean, safe="") if kind is SlotKind.URL_PART else clean


def _clean(value: str) -> str:
    # Nearly every value is printable, and this runs for each recipient.
    if not value.isprintable():
        value = _SURROGATE.sub("\ufffd", _UNPRINTABLE.sub(" ", value))
    return value[:LONGEST].strip()


def _https(value: str) -> str:
    # Browsers read a backslash as a slash: the host would be another one than checked here.
    if not _HTTPS.fullmatch(value) or "\\" in value:
        return ""
    return quote(value, safe=_URL_SAFE)


def preview_part(part: Part, values: Mapping[str, str]) -> str:
    """Fill a part's slots for a preview.

    Args:
        part: The part to fill.
        values: Merge field name to value; a missing one shows its default.
    """
    pieces = [part.segments[0]]
    for slot, segment in zip(part.slots, part.segments[1:], strict=True):
        value = values.get(slot.name, PREVIEW_TOKEN if slot.kind is SlotKind.TOKEN else "")
        pieces += encode_value(slot.kind, value, slot.default), segment
    return "".join(pieces)
