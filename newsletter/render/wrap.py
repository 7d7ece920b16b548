"""Wrapping and headings of plain text."""

from __future__ import annotations

import re
from textwrap import TextWrapper

_SHARE = re.compile(r"(?<=[0-9]) %")

WIDTH = 72
"""Columns of the text part, so that a quoted reply still fits in 80."""


def wrap(text: str, first: str = "", rest: str = "") -> str:
    """Wrap text to 72 columns; its line breaks stay, and words and URLs are never broken.

    Args:
        text: One paragraph.
        first: The start of the first line.
        rest: The start of every other line.
    """
    lines: list[str] = []
    for line in text.split("\n"):
        wrapper = TextWrapper(
            width=WIDTH,
            initial_indent=rest if lines else first,
            subsequent_indent=rest,
            break_long_words=False,
            # URLs have hyphens.
            break_on_hyphens=False,
        )
        # The wrapper does not break at a no-break space.
        lines += wrapper.wrap(_SHARE.sub("\u00a0%", line)) or [rest.rstrip()]
    return "\n".join(line.rstrip() for line in lines).replace("\u00a0%", " %")


def underline(text: str) -> str:
    """A heading: wrapped, and underlined to the length of its longest line."""
    wrapped = wrap(text)
    longest = max((len(line) for line in wrapped.split("\n")), default=0)
    return f"{wrapped}\n{'-' * min(longest, WIDTH)}"
