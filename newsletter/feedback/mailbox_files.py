"""Where mail that came back lies: a Maildir, an mbox, one message, standard input. Only read."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from newsletter.errors import InputError
from newsletter.feedback.message import MAX_BYTES

STDIN = "-"
_FROM = b"From "


def read_messages(source: str) -> Iterator[bytes]:
    """Every message of a source, one after the other.

    Each is cut at `MAX_BYTES`, without an mbox's ``From`` line and with LF at line ends, so that
    the same message is the same bytes wherever it lay.

    Args:
        source: A Maildir (with ``cur`` and ``new``), an mbox (RFC 4155), a file with one message,
            or ``-``.

    Raises:
        InputError: It is none of these, or cannot be read.
    """
    path = Path(source)
    if source == STDIN:
        yield from _messages(sys.stdin.buffer)
        return
    try:
        for file in _files(path):
            with file.open("rb") as stream:
                yield from _messages(stream)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", file=path) from None


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    folders = [path / "new", path / "cur"]
    if not all(folder.is_dir() for folder in folders):
        raise InputError("no Maildir: it has no new and cur", file=path)
    return [file for folder in folders for file in sorted(folder.iterdir()) if file.is_file()]


def _messages(stream: BinaryIO) -> Iterator[bytes]:
    """The messages of an mbox, or the only one. A line ``From`` after an empty one divides."""
    message = bytearray()
    first = stream.readline(MAX_BYTES)
    is_mbox = first.startswith(_FROM)
    if not is_mbox:
        message += first
    after_empty = False
    while line := stream.readline(MAX_BYTES):
        if is_mbox and after_empty and line.startswith(_FROM):
            yield from _whole(message)
            message.clear()
        elif len(message) < 2 * MAX_BYTES:
            message += line
        after_empty = not line.strip(b"\r\n")
    yield from _whole(message)


def _whole(message: bytearray) -> Iterator[bytes]:
    if text := as_read(bytes(message)):
        yield text


def as_read(message: bytes) -> bytes:
    """One message in the form that every source gives it: see `read_messages`."""
    return message.replace(b"\r\n", b"\n").strip(b"\n")[:MAX_BYTES]
