"""Returned mail in files: a Maildir, an mbox, one message, standard input. Only read."""

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

    Each is cut at `MAX_BYTES`, without an mbox's ``From`` line and with LF line endings, so that
    the same message is the same bytes whichever source it comes from.

    Args:
        source: A Maildir (with ``cur`` and ``new``), an mbox (RFC 4155), a file with one message,
            or ``-`` for standard input.

    Raises:
        InputError: It is something else, or cannot be read.
    """
    if source == STDIN:
        yield from _messages(sys.stdin.buffer)
        return
    path = Path(source)
    folders = [path / "new", path / "cur"]
    try:
        if not path.is_dir():
            files = [path]
        elif all(folder.is_dir() for folder in folders):
            # Not `tmp`: what is there is still being delivered.
            files = [file for folder in folders for file in sorted(folder.iterdir())]
            files = [file for file in files if file.is_file()]
        else:
            raise InputError(
                "not a Maildir: it has no new and cur",
                file=path,
                fix="name a Maildir, an mbox or a file with one message",
            )
        for file in files:
            with file.open("rb") as stream:
                yield from _messages(stream)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", file=path) from None


def _messages(stream: BinaryIO) -> Iterator[bytes]:
    """The messages of an mbox, or the only message of a file."""
    message = bytearray()
    first = stream.readline(MAX_BYTES)
    is_mbox = first.startswith(_FROM)
    if not is_mbox:
        message += first
    after_empty = False
    while line := stream.readline(MAX_BYTES):
        # Within a message, writers escape such a line only where it follows an empty one.
        if is_mbox and after_empty and line.startswith(_FROM):
            yield from _complete(message)
            message.clear()
        elif len(message) < 2 * MAX_BYTES:
            message += line
        after_empty = not line.strip(b"\r\n")
    yield from _complete(message)


def _complete(message: bytearray) -> Iterator[bytes]:
    if text := normalize(bytes(message)):
        yield text


def normalize(message: bytes) -> bytes:
    """One message as every source gives it: see `read_messages`."""
    return message.replace(b"\r\n", b"\n").strip(b"\n")[:MAX_BYTES]
