"""Lists of ``tag=value``, the syntax of DKIM and DMARC records (RFC 6376 section 3.2)."""

from __future__ import annotations

import re

from newsletter.errors import InputError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", flags=re.ASCII)


def parse_tags(record: str) -> dict[str, str]:
    """The tags in order, names in lower case, values without surrounding blanks.

    Raises:
        InputError: A part is not ``tag=value``, or a tag appears twice.
    """
    tags: dict[str, str] = {}
    parts = record.split(";")
    # The last tag may end with a semicolon; elsewhere an empty part is a mistake.
    for part in parts[:-1] if not parts[-1].strip() else parts:
        written, sign, value = part.partition("=")
        name = written.strip().lower()
        if not sign or not _NAME.fullmatch(name):
            raise InputError(f"{part.strip()!r} is not tag=value")
        if name in tags:
            raise InputError(f"the tag {name}= appears twice")
        tags[name] = value.strip()
    return tags
