"""The most common values of a column, counted in bounded memory."""

from __future__ import annotations

from collections import Counter

from newsletter.audience.model import ValueCount

DIFFERENT = 2000
"""Different values counted, at most."""
_LONGEST = 60


class Tally:
    """Counts values: exactly, as long as there are not too many different ones.

    Beyond that the rarer half is dropped now and then: a count may then be too low, and a value
    that is common only near the end may be missed.
    """

    def __init__(self, different: int = DIFFERENT) -> None:
        self.rows = 0
        self.blank = 0
        self._different = different
        self._counts: Counter[str] = Counter()

    def add(self, value: str) -> None:
        """Count one row."""
        self.rows += 1
        if not value:
            self.blank += 1
            return
        self._counts[value[:_LONGEST]] += 1
        if len(self._counts) > self._different:
            self._counts = Counter(dict(self._counts.most_common(self._different // 2)))

    @property
    def different(self) -> int:
        """The number of different values counted, including blank."""
        return len(self._counts) + bool(self.blank)

    def commonest(self, number: int) -> tuple[ValueCount, ...]:
        """The values in most rows, including blank."""
        counts = Counter({**self._counts, **({"": self.blank} if self.blank else {})})
        return tuple(ValueCount(value, rows) for value, rows in counts.most_common(number))

    def values(self) -> list[str]:
        """Every value counted, most common first, without the blank."""
        return [value for value, _ in self._counts.most_common()]
