"""What somebody may have meant by a word that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 80
"""Characters that are compared: it takes time that grows with the square of the length."""


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str, before: str = "") -> str:
    """The next step of whoever wrote a word that is not known.

    Args:
        word: What was written; capitals do not matter.
        known: What could have been meant.
        otherwise: The next step if none of them is near.
        before: Stands before the word that is near.
    """
    names = {name.casefold(): name for name in known}
    near = get_close_matches(word[:LONGEST].casefold(), names, n=1)
    return f"did you mean {before}{names[near[0]]}?" if near else otherwise
