"""An article's file, from disk to clean text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from newsletter.errors import InputError

MAX_BYTES = 1024 * 1024
"""Largest article, in bytes. Gmail clips a mail at about 102 KB."""

MAX_LINES = 10_000
"""Longest article, in lines: a megabyte of tiny blocks would take half a minute."""

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What neither XML 1.0 (section 2.2) nor a mail may hold, and C1 controls."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The two halves of an article, each padded so that its lines count as in the file."""

    front: str
    body: str


def read_source(path: Path, root: Path) -> str:
    """Read an article as text: UTF-8, without byte order mark, lines ending in LF.

    Args:
        path: The Markdown file.
        root: The folder it must lie in, symbolic links followed.

    Raises:
        InputError: The file is missing, outside ``root``, too long, no UTF-8, or holds control
            characters.
    """
    text = _decode(_read_bytes(_inside(path, root)))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.count("\n") > MAX_LINES:
        raise InputError(f"the article has more than {MAX_LINES:,} lines", fix="shorten it")
    if found := CONTROL.search(text):
        raise InputError(
            f"a control character (U+{ord(found[0]):04X}) stands in the text",
            line=line_at(text, found.start()),
            fix="delete it; it often comes along when pasting",
        )
    return text


def line_at(text: str, position: int) -> int:
    """Count the line of a position in a text, from 1."""
    return text.count("\n", 0, position) + 1


def split(source: str) -> Parts:
    """Separate the front matter from the body.

    Raises:
        InputError: There is no front matter, or it does not end.
    """
    lines = source.split("\n")
    if lines[0].rstrip() != "---":
        raise InputError(
            "the front matter is missing",
            line=1,
            fix="start the file with a line ---, then subject, preheader and date, then ---",
        )
    for index, line in enumerate(lines[1:], start=1):
        if line.rstrip() == "---":
            front, body = lines[1:index], lines[index + 1 :]
            return Parts("\n" + "\n".join(front), "\n" * (index + 1) + "\n".join(body))
    raise InputError(
        "the front matter does not end", line=1, fix="close it with a line that holds only ---"
    )


def _inside(path: Path, root: Path) -> Path:
    try:
        real = path.resolve()
        if not real.is_file():
            raise InputError(
                "no such article", fix="check the path, or make one with: ./send.py new"
            )
        if not real.is_relative_to(root.resolve()):
            raise InputError("the article lies outside the project's folder", fix="move it inside")
    except (OSError, ValueError, RuntimeError):
        raise InputError("this path names no readable file", fix="check the path") from None
    return real


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", fix="check its rights") from None
    if len(raw) > MAX_BYTES:
        raise InputError("the article is larger than 1 MB", fix="shorten it, or make it two issues")
    return raw


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        column = error.start - before.rfind(b"\n")
        raise InputError(
            f"not UTF-8: byte 0x{error.object[error.start]:02X}, byte number {column} of its line",
            line=before.count(b"\n") + 1,
            fix="save the file with the encoding UTF-8",
        ) from None
