"""Lists of ``tag=value``, as DKIM and DMARC records write them (RFC 6376 section 3.2)."""

from __future__ import annotations

import re

from newsletter.errors import InputError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", flags=re.ASCII)


def parse_tags(record: str) -> dict[str, str]:
    """Tags in their order, names in lower case, values without blanks around them.

    Raises:
        InputError: A part is no ``tag=value``, or a tag stands there twice.
    """
    tags: dict[str, str] = {}
    parts = record.split(";")
    for part in parts[:-1] if not parts[-1].strip() else parts:
        written, sign, value = part.partition("=")
        name = written.strip().lower()
        if not sign or not _NAME.fullmatch(name):
            raise InputError(f"{part.strip()!r} is no tag=value")
        if name in tags:
            raise InputError(f"the tag {name}= stands there twice")
        tags[name] = value.strip()
    return tags
