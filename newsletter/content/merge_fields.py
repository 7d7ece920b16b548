"""Replaces merge fields with placeholders before anything else reads the source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from newsletter.content.model import BASE36, PLACEHOLDERS, MergeUse, placeholder
from newsletter.content.source import line_at
from newsletter.errors import InputError

MAX_FIELDS = PLACEHOLDERS - 296
"""Most merge fields in an article; the renderer needs the remaining placeholders."""

_FIELD = re.compile(
    r"\{\{[ \t]*(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*"
    # Inside a double-quoted YAML value the quotation marks are escaped with a backslash.
    r'(?:\|[ \t]*default\([ \t]*\\?"(?P<default>[^"\\{}\n]*)\\?"[ \t]*\)[ \t]*)?\}\}'
)
_LEFTOVER = re.compile(r"\{\{|\}\}|\{%")


@dataclass(frozen=True, slots=True)
class MaskedSource:
    """A source with placeholders for its merge fields; its lines are numbered as before."""

    text: str
    fields: tuple[MergeUse, ...]
    prefix: str


def mask(source: str) -> MaskedSource:
    """Replace each merge field with a placeholder.

    Args:
        source: The whole file.

    Raises:
        InputError: Double braces or a ``{% %}`` are not a merge field, or there are more than
            `MAX_FIELDS`.
    """
    prefix = _unused_prefix(source)
    fields: list[MergeUse] = []
    pieces: list[str] = []
    end, line = 0, 1
    for found in _FIELD.finditer(source):
        line += source.count("\n", end, found.start())
        if len(fields) == MAX_FIELDS:
            raise InputError(f"more than {MAX_FIELDS} merge fields", line=line, fix="use fewer")
        use = MergeUse(placeholder(prefix, len(fields)), found["name"], found["default"], line)
        pieces += (source[end : found.start()], use.placeholder)
        fields.append(use)
        end = found.end()
    text = "".join((*pieces, source[end:]))
    # Sent as it is, a mistyped field would greet readers with "Hello {{ first name }}".
    if leftover := _LEFTOVER.search(text):
        raise InputError(
            f"{leftover[0]} is not part of a merge field",
            line=line_at(text, leftover.start()),
            fix='write {{ name }} or {{ name | default("there") }} on one line',
        )
    return MaskedSource(text, tuple(fields), prefix)


def _unused_prefix(source: str) -> str:
    # Derived from the source instead of drawn at random: the same file must always compile to
    # the same bytes, since approval is bound to their digest.
    counter = 0
    while True:
        number = int.from_bytes(sha256(f"{counter}\n{source}".encode()).digest())
        prefix = "QZ"
        for _ in range(6):
            number, digit = divmod(number, 36)
            prefix += BASE36[digit]
        if prefix not in source:
            return prefix
        counter += 1
