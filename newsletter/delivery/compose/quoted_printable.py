"""Quoted-printable (RFC 2045 section 6.7) in pieces that can be joined.

Every piece starts and ends at the start of a line, so that the encoding of a recipient's value does
not depend on its surroundings. Each line is its own relaxed canonical form (RFC 6376 section
3.4.4), begins with neither "." (RFC 5321 section 4.5.2) nor "From ", and is 7 bit.
"""

from __future__ import annotations

import re

LINE = 76
SOFT_BREAK = b"=\r\n"

_ESCAPED = [f"={byte:02X}".encode() for byte in range(256)]
_LITERAL = [bytes((byte,)) if 33 <= byte <= 126 and byte != 61 else b"" for byte in range(256)]
_SPACE = 32
_plain = re.compile(rb"(?!\.|From )[!-<>-~]+(?: [!-<>-~]+)*").fullmatch


def encode_slot(value: str) -> bytes:
    """Encode one recipient's value, without line breaks; ends with a soft break."""
    raw = value.encode()
    if len(raw) < LINE and _plain(raw):
        return raw + SOFT_BREAK
    return _soft_lines(raw) + SOFT_BREAK if raw else b""


def encode_text(text: str) -> bytes:
    """Encode static text; ends with a hard line break or a soft one.

    Any of CRLF, LF and CR in ``text`` is a line break.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    encoded = b"\r\n".join(_soft_lines(line.encode()) for line in lines)
    return encoded + SOFT_BREAK if lines[-1] else encoded


def _soft_lines(raw: bytes) -> bytes:
    """One line of text as lines of at most `LINE` characters, without the last one's break."""
    lines: list[bytes] = []
    line = bytearray()
    for index, byte in enumerate(raw):
        token = _token(raw, index, byte, at_start=not line)
        if len(line) + len(token) >= LINE:
            lines.append(bytes(line))
            line.clear()
            token = _token(raw, index, byte, at_start=True)
        line += token
    lines.append(bytes(line))
    return SOFT_BREAK.join(lines)


def _token(raw: bytes, index: int, byte: int, *, at_start: bool) -> bytes:
    if byte == _SPACE:
        alone = not at_start and index + 1 < len(raw) and raw[index - 1] != _SPACE
        return b" " if alone else b"=20"
    if at_start and (byte == ord(".") or raw.startswith(b"From ", index)):
        return _ESCAPED[byte]
    return _LITERAL[byte] or _ESCAPED[byte]
