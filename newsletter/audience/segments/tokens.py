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
        if found is None and text[at] in "\"'":
            mark = text[at]
            fix = f"close it with {mark}; inside, write \\{mark} for {mark} and \\\\ for \\"
            raise segment_error(text, at, "this quotation is not closed", fix)
        if found is None:
            fix = 'put values in quotes: "…"'
            raise segment_error(text, at, f"{text[at]!r} is not allowed here", fix)
        for place in range(at, found.end()):
            # Pasted from a document, an expression may look right and match nobody.
            if not text[place].isprintable():
                raise segment_error(text, place, "an invisible character", "remove it")
        quoted = found.lastgroup == "text"
        value = _ESCAPED.sub(r"\1", found[0][1:-1]) if quoted else found[0]
        tokens.append(SegmentToken(found.lastgroup or "", value, at))
        at = _blank(text, found.end())
    return [*tokens, SegmentToken("end", "", len(text))]


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
