"""Errors in a segment, shown at the column where they are."""

from __future__ import annotations

from newsletter.errors import UsageError

_SHOWN = 60


def segment_error(text: str, at: int, message: str, fix: str) -> UsageError:
    """An error that shows the expression and a caret below the column.

    Args:
        text: The whole expression.
        at: The column, counted from 0.
        message: What is wrong there.
        fix: What to write instead.
    """
    start = max(0, at - _SHOWN // 2)
    part = text[start : start + _SHOWN]
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in part)
    caret = " " * (at - start) + "^"
    return UsageError(f"--segment, column {at + 1}: {message}\n  {shown}\n  {caret}\n", fix=fix)
