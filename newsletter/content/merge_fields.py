"""Merge fields: taken out of the source before anything else reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from newsletter.content.model import PLACEHOLDERS, MergeUse, placeholder
from newsletter.content.source import line_at
from newsletter.errors import InputError

MAX_MERGES = PLACEHOLDERS - 296
"""The last placeholders of a prefix are left to the renderer."""

_FIELD = re.compile(
    r"\{\{[ \t]*(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*"
    r'(?:\|[ \t]*default\([ \t]*\\?"(?P<default>[^"\\{}\n]*)\\?"[ \t]*\)[ \t]*)?\}\}'
)
_LEFT_OVER = re.compile(r"\{\{|\}\}|\{%")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Masked:
    """A source whose merge fields are placeholders, line by line the same."""

    text: str
    merges: tuple[MergeUse, ...]
    prefix: str


def mask(source: str) -> Masked:
    """Put a placeholder in the place of each merge field.

    Args:
        source: The whole file. Quotation marks may be escaped with a backslash, as they must be
            within a double-quoted YAML value.

    Raises:
        InputError: Something between double braces, or a ``{% %}``, is no merge field, or there
            are more than `MAX_MERGES`.
    """
    prefix = _prefix(source)
    merges: list[MergeUse] = []
    pieces: list[str] = []
    end, line = 0, 1
    for found in _FIELD.finditer(source):
        line += source.count("\n", end, found.start())
        if len(merges) == MAX_MERGES:
            raise InputError(f"more than {MAX_MERGES} merge fields", line=line, fix="use fewer")
        use = MergeUse(placeholder(prefix, len(merges)), found["name"], found["default"], line)
        pieces += (source[end : found.start()], use.placeholder)
        merges.append(use)
        end = found.end()
    text = "".join((*pieces, source[end:]))
    _refuse_left_over(text)
    return Masked(text, tuple(merges), prefix)


def _refuse_left_over(text: str) -> None:
    if found := _LEFT_OVER.search(text):
        raise InputError(
            f"{found[0]} belongs to no merge field",
            line=line_at(text, found.start()),
            fix='write {{ name }} or {{ name | default("there") }}, on one line, nothing else',
        )


def _prefix(source: str) -> str:
    counter = 0
    while True:
        number = int.from_bytes(sha256(f"{counter}\n{source}".encode()).digest())
        prefix = "QZ"
        for _ in range(6):
            number, digit = divmod(number, 36)
            prefix += _DIGITS[digit]
        if prefix not in source:
            return prefix
        counter += 1
