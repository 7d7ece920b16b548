"""How a reader's value is written into a slot. Pure, and called once per slot and reader."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from urllib.parse import quote

from newsletter.render.model import Part, Slot, SlotKind

LONGEST = 1000
"""Characters of one value; the rest is cut."""

PREVIEW_TOKEN = "preview"  # noqa: S105
"""Stands for a token where a part is only looked at."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOKEN = re.compile(r"[A-Za-z0-9._~-]+")
_HTTPS = re.compile(r"https://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?([/?#].*)?")
_URL_SAFE = "!#$%&'()*+,/:;=?@[]~"


def encode_value(kind: SlotKind, value: str, default: str = "") -> str:
    """Write one value as its place demands.

    Control characters, line ends and line separators become spaces, so that no value can start a
    header or a line of its own; an empty value gives way to ``default``.

    Args:
        kind: Where the slot stands.
        value: What the reader's record holds, at most 1,000 characters of which are used.
        default: What stands there otherwise, escaped alike.

    Raises:
        ValueError: A token that is not URL-safe, or empty: a fault of the program.
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
    if not value.isprintable():
        value = _SURROGATE.sub("\ufffd", _UNPRINTABLE.sub(" ", value))
    return value[:LONGEST].strip()


def _https(value: str) -> str:
    if not _HTTPS.fullmatch(value) or "\\" in value:
        return ""
    return quote(value, safe=_URL_SAFE)


def preview_part(part: Part, values: Mapping[str, str]) -> str:
    """Fill a part's slots, to be looked at.

    Args:
        part: The part to fill.
        values: Merge field name to value; what is missing shows its default.
    """
    filled = (_preview(slot, values) for slot in part.slots)
    rest = (text for pair in zip(filled, part.segments[1:], strict=True) for text in pair)
    return part.segments[0] + "".join(rest)


def _preview(slot: Slot, values: Mapping[str, str]) -> str:
    value = values.get(slot.name, PREVIEW_TOKEN if slot.kind is SlotKind.TOKEN else "")
    return encode_value(slot.kind, value, slot.default)
