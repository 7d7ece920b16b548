"""Numbers with their nouns: "1 row", "3,000 people"."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """A number and what there is so many of.

    Args:
        one: The noun for one of them; may go on in further words.
        many: The noun for any other number; ``one`` and an s by default.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
