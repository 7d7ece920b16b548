"""Lists of ``tag=value``, as DKIM and DMARC records write them (RFC 6376 section 3.2)."""

from __future__ import annotations

import re

from newsletter.errors import InputError

_TAG = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*=\s*(.*?)\s*", flags=re.DOTALL | re.ASCII)


def parse_tags(record: str) -> dict[str, str]:
    """Tags in their order, names in lower case, values without blanks around them.

    Raises:
        InputError: A part is no ``tag=value``, or a tag stands there twice.
    """
    tags: dict[str, str] = {}
    parts = record.split(";")
    for part in parts[:-1] if not parts[-1].strip() else parts:
        found = _TAG.fullmatch(part)
        if not found:
            raise InputError(f"{part.strip()!r} is no tag=value")
        name = found[1].lower()
        if name in tags:
            raise InputError(f"the tag {name}= stands there twice")
        tags[name] = found[2]
    return tags
