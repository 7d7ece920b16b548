"""Header fields: RFC 5322 lines, RFC 2047 encoded words, safe from header injection."""

from __future__ import annotations

import base64
import re
from itertools import pairwise

from newsletter.dns_checks.domains import ascii_domain
from newsletter.errors import InputError

LINE = 76
WORD = 75
"""Characters of one encoded word (RFC 2047 section 2)."""
LONGEST_LINE = 998
"""Characters of any line (RFC 5322 section 2.1.1)."""

_AROUND = len("=?utf-8?q??=")
_BREAKS = re.compile("[\r\n\0]")
_PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_QUOTED_SPECIAL = re.compile(r'(["\\])')
_Q_LITERAL = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!*+-/")
_Q = [chr(byte) if byte in _Q_LITERAL else f"={byte:02X}" for byte in range(256)]
_Q[32] = "_"


def raw_header(name: str, value: str) -> bytes:
    """A structured field whose value is already ASCII: never encoded, never folded.

    An encoded word in a ``List-*`` field breaks one-click unsubscribing (RFC 2369 section 4 and
    RFC 8058 want plain URIs), and folded ones have lost their DKIM signature at relays.

    Raises:
        InputError: The value holds CR, LF, NUL or a character outside ASCII, or is too long.
    """
    line = f"{name}: {_unbroken(name, value)}"
    if not line.isascii() or len(line) > LONGEST_LINE:
        raise InputError(f"the header {name} must be ASCII, at most {LONGEST_LINE} characters")
    return line.encode("ascii") + b"\r\n"


def text_header(name: str, text: str) -> bytes:
    """An unstructured field such as Subject, folded; with encoded words where necessary.

    Raises:
        InputError: The text holds CR, LF or NUL.
    """
    text = _unbroken(name, text)
    start = len(name) + 2
    folded = None if _must_encode(text) else _folded(text, start)
    return f"{name}: {folded or encoded_words(text, start)}\r\n".encode("ascii")


def mailbox_header(name: str, phrase: str, address: str) -> bytes:
    """An address field with one mailbox (RFC 5322 section 3.4).

    Raises:
        InputError: A part holds CR, LF or NUL, or the address is not ASCII apart from its domain.
    """
    address = ascii_domain(_unbroken(name, address))
    phrase = _unbroken(name, phrase)
    if not phrase:
        return raw_header(name, address)
    start = len(name) + 2
    shown = encoded_words(phrase, start) if _must_encode(phrase) else _quoted(phrase)
    last = shown.rpartition("\n")[2]
    gap = " " if start + len(last) + len(address) + 3 <= LINE else "\r\n "
    if not address.isascii() or max(start + len(last), len(address) + 3) > LONGEST_LINE:
        raise InputError(f"the address in {name} must be ASCII and of usual length")
    return f"{name}: {shown}{gap}<{address}>\r\n".encode("ascii")


def encoded_words(text: str, start: int) -> str:
    """RFC 2047 encoded words of at most 75 characters on lines of at most 76.

    Args:
        text: Any text.
        start: Column at which the first word begins.
    """
    quoted = ["".join(_Q[byte] for byte in char.encode()) for char in text]
    sizes = [len(char) for char in quoted]
    room = min(WORD, LINE - start) - _AROUND
    # Q unless B (4 characters for 3 bytes) is shorter: Q stays readable.
    if 3 * sum(sizes) <= 4 * len(text.encode()):
        words = ("".join(quoted[a:b]) for a, b in _spans(sizes, room, WORD - _AROUND))
        return "\r\n ".join(f"=?utf-8?q?{word}?=" for word in words)
    sizes = [len(char.encode()) for char in text]
    spans = _spans(sizes, room // 4 * 3, (WORD - _AROUND) // 4 * 3)
    coded = (base64.b64encode(text[a:b].encode()).decode("ascii") for a, b in spans)
    return "\r\n ".join(f"=?utf-8?b?{word}?=" for word in coded)


def _spans(sizes: list[int], first_room: int, room: int) -> list[tuple[int, int]]:
    """Where to cut characters of these sizes into words; a character is never split."""
    cuts = [0]
    left = first_room
    for index, size in enumerate(sizes):
        if size > left:
            cuts.append(index)
            left = room
        left -= size
    return list(pairwise([*cuts, len(sizes)]))


def list_phrase(name: str) -> str:
    """A phrase for ``List-Id`` (RFC 2919), or nothing where it would need encoding."""
    if not name or _must_encode(name) or len(name) > 200:
        return ""
    return _quoted(name) + " "


def _unbroken(name: str, value: str) -> str:
    if _BREAKS.search(value):
        raise InputError(f"the header {name} contains a line break or NUL", fix="remove it")
    return value


def _must_encode(text: str) -> bool:
    # Plain text with "=?" in it would be decoded as an encoded word.
    return not _PLAIN.fullmatch(text) or "=?" in text


def _quoted(phrase: str) -> str:
    if _ATOMS.fullmatch(phrase):
        return phrase
    return '"' + _QUOTED_SPECIAL.sub(r"\\\1", phrase) + '"'


def _folded(text: str, start: int) -> str | None:
    """The text folded at single spaces; None when a single word is too long for a line."""
    lines = [""]
    room = LINE - start
    for word in text.split(" "):
        if len(word) >= LINE - start:
            return None
        line = f"{lines[-1]} {word}" if lines[-1] else word
        if len(line) > room:
            lines.append(word)
            room = LINE - 1
        else:
            lines[-1] = line
    return "\r\n ".join(lines)
