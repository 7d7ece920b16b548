"""Reads an article's file from disk as clean text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from newsletter.errors import InputError

MAX_BYTES = 1024 * 1024
"""Largest article, in bytes. Gmail clips a mail at about 102 KB, so none comes near this."""

MAX_LINES = 10_000
"""Longest article, in lines: parsing a megabyte of tiny blocks would take half a minute."""

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML 1.0 (section 2.2) or mail forbids, and the C1 controls."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The two halves of an article, each padded so that its line numbers are the file's."""

    front: str
    body: str


def read_source(path: Path, root: Path) -> str:
    """Read an article as text: UTF-8, no byte order mark, lines ending in LF.

    Args:
        path: The Markdown file.
        root: The folder that must contain it, with symbolic links resolved.

    Raises:
        InputError: The file is missing, outside ``root``, too long, not UTF-8, or contains
            control characters.
    """
    try:
        real = path.resolve()
        # Not `exists`: opening a named pipe would wait forever for a writer.
        if not real.is_file():
            raise InputError(
                "no such article", fix="check the path, or create one with: ./send.py new"
            )
        if not real.is_relative_to(root.resolve()):
            raise InputError("the article is outside the project folder", fix="move it inside")
    except (OSError, ValueError, RuntimeError):
        # A name too long, a NUL in it, or a symbolic link to itself.
        raise InputError("this path is not a readable file", fix="check the path") from None
    try:
        with real.open("rb") as file:
            # One byte more than allowed shows that there is more, however large the file is.
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror}", fix="check the file's permissions"
        ) from None
    if len(raw) > MAX_BYTES:
        raise InputError(
            "the article is larger than 1 MB", fix="shorten it, or split it into two issues"
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        column = error.start - before.rfind(b"\n")
        raise InputError(
            f"not UTF-8: byte 0x{error.object[error.start]:02X} at byte {column} of the line",
            line=before.count(b"\n") + 1,
            fix="save the file as UTF-8",
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.count("\n") > MAX_LINES:
        raise InputError(f"the article has more than {MAX_LINES:,} lines", fix="shorten it")
    if found := CONTROL.search(text):
        raise InputError(
            f"the text contains a control character (U+{ord(found[0]):04X})",
            line=line_at(text, found.start()),
            fix="delete it; it was probably pasted along with the text",
        )
    return text


def line_at(text: str, position: int) -> int:
    """Return the line number of a position in a text, counted from 1."""
    return text.count("\n", 0, position) + 1


def split(source: str) -> Parts:
    """Separate the front matter from the body.

    Raises:
        InputError: The front matter is missing or does not end.
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
            # Empty lines in place of what was cut: parsers then report the file's own lines.
            return Parts("\n" + "\n".join(front), "\n" * (index + 1) + "\n".join(body))
    raise InputError(
        "the front matter does not end", line=1, fix="end it with a line that contains only ---"
    )
