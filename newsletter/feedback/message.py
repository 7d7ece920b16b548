"""Read any bytes as mail, and separate a bounce's own text from the message it returns.

Bounces come with wrong boundaries, wrong charsets and mixed line endings, so nothing here raises,
and the work is bounded: the first `MAX_BYTES` are read, parts nested up to `MAX_DEPTH` deep.
"""

from __future__ import annotations

import binascii
import html
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from functools import cached_property
from itertools import takewhile

MAX_BYTES = 512 * 1024
MAX_DEPTH = 8
MAX_PARTS = 100
MAX_DECODED = 2000

RETURNED = frozenset(
    [
        "message/rfc822",
        "message/global",
        "message/rfc822-headers",
        "message/global-headers",
        "text/rfc822-headers",
        "text/rfc822-header",
    ]
)
"""Types of the part that returns the message (RFC 6522 section 3, RFC 6533 section 5)."""
STATUS = frozenset(["message/delivery-status", "message/global-delivery-status"])
FEEDBACK = "message/feedback-report"

_FIELD = re.compile(r"([!-9;-~]{1,76})[ \t]*:[ \t]*(.*)")
_RETURNED_FIELD = re.compile(
    r"(?:Received|Return-Path|DKIM-Signature|Message-ID|Date|From|To|Subject|MIME-Version|Sender"
    r"|Content-Type|List-[a-z-]+|ARC-[a-z-]+|X-[a-z0-9-]+)[ \t]?:",
    re.IGNORECASE,
)
_PARAMETER = r'\b{}\s*=\s*(?:"([^"\n]+)"|([^\s;"]+))'
_BOUNDARY = re.compile(_PARAMETER.format("boundary"), re.IGNORECASE)
_CHARSET = re.compile(_PARAMETER.format("charset"), re.IGNORECASE)
_CHARSETS = re.compile(
    r"(?:utf-?8|us-ascii|ascii|iso-?8859|iso-2022|windows-|cp\d|koi8|euc-|shift_jis|gb|big5|latin)",
    re.IGNORECASE,
)
"""Charsets that real mail uses."""
_HIDDEN = re.compile(r"<(/?)(?:style|script)\b", re.IGNORECASE)
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/td|/li|/h\d)\b[^<>]{0,200}>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,4000}>")


class Fields:
    """Unfolded header fields, by name in any case; of repeated fields, the first counts."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs
        self._first: dict[str, str] = {}
        for name, value in pairs:
            self._first.setdefault(name.lower(), value)

    def get(self, name: str) -> str:
        """The field's value, or an empty string."""
        return self._first.get(name.lower(), "")

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for key, value in self.pairs if key.lower() == name.lower()]

    def decoded(self, name: str) -> str:
        """The value with its encoded-words decoded (RFC 2047), or as it is if malformed."""
        value = self.get(name)[:MAX_DECODED]
        try:
            return str(make_header(decode_header(value))) if "=?" in value else value
        except (MessageError, LookupError, ValueError):
            return value


@dataclass(frozen=True)
class MimePart:
    """A part without parts: its type in lower case, its fields, its text."""

    type: str
    fields: Fields
    text: str


@dataclass(frozen=True)
class Mail:
    """A message, as far as understanding a bounce needs it."""

    fields: Fields
    parts: tuple[MimePart, ...]

    @cached_property
    def free_text(self) -> str:
        """What the message says to people: its text before the returned message."""
        return self._split[0]

    @cached_property
    def returned(self) -> Fields:
        """The header of the returned message, as far as it came back."""
        return parse_fields(self.returned_text)[0]

    @cached_property
    def returned_text(self) -> str:
        """As much of the returned message as came back."""
        attached = self.texts(*RETURNED)
        return attached[0].lstrip("\n") if attached else self._split[1]

    @cached_property
    def all_text(self) -> str:
        """The text of every part, for bounces that return themselves inside another."""
        return "\n".join(part.text for part in self.parts)

    def texts(self, *types: str) -> list[str]:
        """The text of every part of these types."""
        return [part.text for part in self.parts if part.type in types]

    @cached_property
    def _split(self) -> tuple[str, str]:
        """The free text, and the returned message where the text itself quotes it."""
        before = list(takewhile(lambda part: part.type not in RETURNED, self.parts))
        texts = [p.text for p in before if p.type.startswith("text/") and p.type != "text/html"]
        is_plain = any(text.strip() for text in texts)
        if not is_plain:
            texts = [_strip_tags(part.text) for part in before if part.type == "text/html"]
        own: list[str] = []
        for text in texts:
            lines = [line for line in text.split("\n") if line.strip()]
            # Somebody who forwards a bounce may quote it.
            is_quoted = sum(line.startswith(">") for line in lines) * 2 >= len(lines)
            unquoted = re.sub(r"(?m)^> ?", "", text) if is_plain and is_quoted else text
            free_text, returned = _divide(unquoted)
            own.append(free_text)
            if returned:
                return "\n".join(own), returned
        return "\n".join(own), ""


def read(raw: bytes) -> Mail:
    """Read a message.

    Args:
        raw: Any bytes, with or without a leading mbox line, with any line endings.
    """
    text = raw[:MAX_BYTES].replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode("latin-1")
    return read_text(text)


def read_text(text: str) -> Mail:
    """Read a message whose characters stand for one byte each and whose lines end in LF."""
    text = text.lstrip("\n")
    if text.startswith(("From ", ">From ")):
        text = text.partition("\n")[2]
    fields, body = parse_fields(text)
    return Mail(fields, tuple(_leaves(fields, body, 0))[:MAX_PARTS])


def parse_fields(text: str) -> tuple[Fields, str]:
    """Split a text into its header, unfolded, and the rest.

    A line that is not a field ends the header, as a blank line does (RFC 5322 section 2.2).
    """
    pairs: list[tuple[str, list[str]]] = []
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end]
        if line[:1] in (" ", "\t") and pairs and line.strip():
            pairs[-1][1].append(line.strip())
        elif field := _FIELD.fullmatch(line):
            pairs.append((field[1], [field[2].strip()]))
        else:
            at = end + 1 if not line.strip() else at
            break
        at = end + 1
    return Fields([(name, " ".join(value)) for name, value in pairs]), text[at:]


def _parameter(pattern: re.Pattern[str], fields: Fields) -> str:
    found = pattern.search(fields.get("Content-Type"))
    return (found[1] or found[2]).strip() if found else ""


def _leaves(fields: Fields, body: str, depth: int) -> Iterator[MimePart]:
    declared = fields.get("Content-Type").partition(";")[0].strip().lower()
    kind = declared.split()[0] if "/" in declared else "text/plain"
    pieces = _pieces(body, _parameter(_BOUNDARY, fields)) if kind.startswith("multipart/") else []
    if not pieces or depth == MAX_DEPTH:
        kind = "text/plain" if kind.startswith("multipart/") else kind
        yield MimePart(kind, fields, _decoded(fields, body))
        return
    for piece in pieces[:MAX_PARTS]:
        yield from _leaves(*parse_fields(piece), depth + 1)


def _pieces(body: str, boundary: str) -> list[str]:
    """The parts between boundary lines."""
    lines = body.split("\n")
    mark = f"--{boundary}"
    if not boundary or not any(line.rstrip() == mark for line in lines):
        # Gateways rewrite host names, and boundaries that contain them: take the first line that
        # looks like one.
        likely = (line.rstrip() for line in lines if line.startswith("--") and len(line) > 8)
        mark = next((line for line in likely if " " not in line and line[2:3] != "-"), "")
    if not mark:
        return []
    pieces: list[list[str]] = []
    for line in lines:
        bare = line.rstrip()
        if bare == f"{mark}--":
            break
        if bare == mark:
            pieces.append([])
        elif pieces:
            pieces[-1].append(line)
    return ["\n".join(piece) for piece in pieces]


def _decoded(fields: Fields, body: str) -> str:
    raw = body.encode("latin-1", "replace")
    encoding = fields.get("Content-Transfer-Encoding").lower()
    if encoding.startswith("base64"):
        try:
            raw = binascii.a2b_base64(raw)
        except binascii.Error:
            return body
    elif encoding.startswith("quoted-printable"):
        raw = quopri.decodestring(raw)
    # Old Japanese mail often does not declare its charset.
    charset = "iso-2022-jp" if b"\x1b$B" in raw else _parameter(_CHARSET, fields)
    try:
        # Only known charsets: some codecs of Python take quadratic time (punycode) or run escapes.
        return raw.decode(charset if _CHARSETS.match(charset) else "utf-8")
    except (LookupError, ValueError):
        return raw.decode("utf-8", "replace")


def _divide(text: str) -> tuple[str, str]:
    """Cut a text where a returned message begins: three header fields in a row, unindented."""
    lines = text.split("\n")
    row = 0
    start = 0
    for number, line in enumerate(lines):
        if _RETURNED_FIELD.match(line):
            start = start if row else number
            row += 1
            if row == 3:
                return "\n".join(lines[:start]), "\n".join(lines[start:])
        elif not (row and line[:1] in (" ", "\t") and line.strip()):
            row = 0
    return text, ""


def _strip_tags(text: str) -> str:
    shown: list[str] = []
    hidden = False
    at = 0
    # One pass over the tags: a pattern for whole <style> elements takes quadratic time on mail
    # that only opens them.
    for tag in _HIDDEN.finditer(text):
        shown.append("" if hidden else text[at : tag.start()])
        hidden = not tag[1]
        at = tag.start()
    shown.append("" if hidden else text[at:])
    return html.unescape(_TAG.sub("", _BREAK.sub("\n", "".join(shown))))
