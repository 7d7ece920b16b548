"""What is wrong with a segment, shown where it is wrong."""

from __future__ import annotations

from newsletter.errors import UsageError

_SHOWN = 60


def segment_error(text: str, at: int, message: str, fix: str) -> UsageError:
    """An error with the expression and a caret below the column.

    Args:
        text: The whole expression.
        at: Where, counted from 0.
        message: What is wrong there.
        fix: What would be right.
    """
    start = max(0, at - _SHOWN // 2)
    part = text[start : start + _SHOWN]
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in part)
    caret = " " * (at - start) + "^"
    return UsageError(f"--segment, column {at + 1}: {message}\n  {shown}\n  {caret}\n", fix=fix)
