"""A segment's text -> tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

from newsletter.audience.segments.errors import segment_error

LONGEST = 2000
_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\["\\])*"|'(?:[^'\\]|\\['\\])*')"""
    r"""|(?P<mark><=|>=|!=|[=<>(),])|(?P<word>[^\s()=!<>,"'\\]+)"""
)
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class SegmentToken:
    """``kind`` is ``word``, ``text`` (it was quoted), ``mark`` or ``end``; ``at`` counts from 0."""

    kind: str
    text: str
    at: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else f"{self.text!r}"


def tokenize(text: str) -> list[SegmentToken]:
    """The tokens of an expression; the last one is its end.

    Raises:
        UsageError: The text is too long, or has a character that no token starts with.
    """
    if len(text) > LONGEST:
        raise segment_error(
            text, LONGEST, f"longer than {LONGEST} characters", "use a separate list instead"
        )
    tokens = []
    at = _blank(text, 0)
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _unreadable(text, at)
        _require_printable(text, at, found.end())
        tokens.append(_token(found))
        at = _blank(text, found.end())
    return [*tokens, SegmentToken("end", "", len(text))]


def _token(found: re.Match[str]) -> SegmentToken:
    kind = found.lastgroup or ""
    text = found[0]
    if kind == "text":
        text = _ESCAPED.sub(r"\1", text[1:-1])
    return SegmentToken(kind, text, found.start())


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _require_printable(text: str, start: int, end: int) -> None:
    for at in range(start, end):
        if not text[at].isprintable():
            raise segment_error(text, at, "an invisible character", "remove it")


def _unreadable(text: str, at: int) -> Exception:
    if text[at] in "\"'":
        fix = f"close it with {text[at]}; inside, write \\{text[at]} for {text[at]} and \\\\ for \\"
        return segment_error(text, at, "this quotation is not closed", fix)
    return segment_error(text, at, f"{text[at]!r} is not allowed here", 'put values in quotes: "…"')
