"""Suggests the word that a misspelled one probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 80
"""Characters compared: difflib's time grows with the square of the length."""


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str, before: str = "") -> str:
    """Return the next step for an unknown word.

    Args:
        word: The word as written; case does not matter.
        known: The words that are allowed.
        otherwise: The next step if no known word is similar.
        before: Printed in front of the suggested word.
    """
    names = {name.casefold(): name for name in known}
    similar = get_close_matches(word[:LONGEST].casefold(), names, n=1)
    return f"did you mean {before}{names[similar[0]]}?" if similar else otherwise
