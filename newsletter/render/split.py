"""Split finished text at its placeholders, and determine the kind of each slot.

A value may be in HTML text, in a quoted attribute, in the path or query of an absolute URL, or be a
whole link target. Anywhere else it could change what the mail does, and is refused.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from newsletter.errors import InputError
from newsletter.render.model import Part, Slot, SlotKind

_REGION = re.compile(
    r"<!--(?P<comment>.*?)-->"
    r"|<(?P<raw>style|script)\b.*?</(?P=raw)\s*>"
    r"""|<[A-Za-z/!](?:[^"'>]|"[^"]*"|'[^']*')*>""",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"""([^\s"'=<>/]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
# A value after the end of the host cannot change where a link leads.
_AUTHORITY = re.compile(r"https?://[^\s/?#]+[/?#]|mailto:[^\s@]+@[^\s@?]+\?", re.IGNORECASE)
_LINKS = frozenset({"href"})
# Loaded when the mail is opened: a value there would tell the server who reads it.
_LOADED = frozenset({"src", "srcset", "background", "poster", "action", "formaction", "data"})


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What a placeholder stands for. ``line`` is in the article; ``kind`` is set for our own."""

    name: str
    default: str
    line: int | None
    kind: SlotKind | None = None


@dataclass(frozen=True, slots=True)
class Placeholders:
    """The placeholders of one issue, and how to recognize one."""

    prefix: str
    file: Path
    known: Mapping[str, Placeholder]

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches one placeholder."""
        return re.compile(re.escape(self.prefix) + "[0-9A-Z]{2}X")


def split_html(html: str, marks: Placeholders) -> Part:
    """Split HTML at its placeholders.

    Raises:
        InputError: A merge field is where none is allowed.
    """
    regions = list(_REGION.finditer(html))
    starts = [region.start() for region in regions]

    def kind_at(found: re.Match[str]) -> SlotKind | str:
        index = bisect_right(starts, found.start()) - 1
        if index < 0 or found.end() > regions[index].end():
            return SlotKind.HTML
        region = regions[index]
        comment = region["comment"]
        if comment is None:
            return _in_markup(region, found.start(), found[0])
        # Outlook renders conditional comments: what is in them counts like the rest of the mail.
        if not comment.startswith("[if"):
            return "a comment"
        at = found.start() - region.start("comment")
        for inner in _REGION.finditer(comment):
            if inner.start() <= at < inner.end():
                return _in_markup(inner, at, found[0])
        return SlotKind.HTML

    return _split(html, marks, kind_at)


def split_text(text: str, marks: Placeholders) -> Part:
    """Split plain text (a text part, a subject) at its placeholders.

    Raises:
        InputError: A merge field is in the scheme or host of a URL.
    """
    return _split(text, marks, _in_text)


def without_slots(text: str, marks: Placeholders, write: Callable[[str], str]) -> str:
    """The same text with each merge field replaced by its default, as written by ``write``."""
    return marks.pattern.sub(lambda found: write(marks.known[found[0]].default), text)


def _split(
    text: str, marks: Placeholders, kind_at: Callable[[re.Match[str]], SlotKind | str]
) -> Part:
    segments, slots, end = [], [], 0
    for found in marks.pattern.finditer(text):
        mark = marks.known[found[0]]
        kind = kind_at(found)
        if not isinstance(kind, SlotKind):
            raise InputError(
                f"merge field {mark.name} is not allowed in {kind}",
                file=marks.file,
                line=mark.line,
                fix="use it in the text, or in a link after https://host/",
            )
        segments.append(text[end : found.start()])
        slots.append(Slot(mark.name, mark.kind or kind, mark.default))
        end = found.end()
    segments.append(text[end:])
    return Part(tuple(segments), tuple(slots))


def _in_markup(region: re.Match[str], at: int, placeholder: str) -> SlotKind | str:
    """The kind of a slot in a tag, or where it is if it is not allowed there."""
    if region["raw"]:
        return f"a <{region['raw'].lower()}> element"
    at -= region.start()
    for attribute in _ATTRIBUTE.finditer(region[0]):
        group = 2 if attribute[2] is not None else 3
        start, value = attribute.start(group), attribute[group]
        if not start <= at < attribute.end(group):
            continue
        name = attribute[1].lower()
        if name == "style" or name.startswith("on"):
            return f'the "{name}" attribute'
        if name in _LOADED:
            return f'the "{name}" attribute, which is fetched when the mail is opened'
        if name not in _LINKS:
            return SlotKind.HTML
        return SlotKind.URL if value == placeholder else _in_url(value[: at - start])
    return "a tag, outside a quoted attribute"


def _in_url(before: str) -> SlotKind | str:
    return SlotKind.URL_PART if _AUTHORITY.match(before) else "the scheme or host of a link"


def _in_text(found: re.Match[str]) -> SlotKind | str:
    text = found.string
    if text[max(found.start() - 1, 0) : found.end() + 1] == f"<{found[0]}>":
        return SlotKind.TEXT_URL
    # Bounded: a long text with many slots would be searched again for each of them.
    before = re.split(r"[\s<>()]", text[max(found.start() - 2000, 0) : found.start()])[-1]
    return _in_url(before) if re.match(r"(https?:|mailto:)", before) else SlotKind.TEXT
