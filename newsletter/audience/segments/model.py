"""A segment as a tree. ``str`` of it is its canonical text, which parses to an equal tree."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

COLUMNS = ("email", "first_name", "last_name", "language", "time_zone")
DATES = ("joined", "subscribed")
LIST = "list"
ATTRIBUTE = "attribute."
KEYWORDS = frozenset({"and", "or", "not", "in", "is", "empty", "contains", "days", "ago"})
SIZES = ("<", "<=", ">", ">=")
TIMES = ("before", "after", "within")
"""Keywords only between a date and its value: elsewhere they may be names of attributes."""


@dataclass(frozen=True, slots=True)
class Name:
    """What is compared: a column, a date, ``list``, or (with ``attribute``) an attribute.

    ``at`` is its position in the text, counted from 0.
    """

    text: str
    attribute: bool = False
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        reserved = self.text in KEYWORDS or self.text in (*COLUMNS, *DATES, LIST)
        return f"{ATTRIBUTE}{self.text}" if self.attribute and reserved else self.text


@dataclass(frozen=True, slots=True)
class Text:
    """A value, compared exactly, including case."""

    text: str
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        escaped = self.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'


@dataclass(frozen=True, slots=True)
class Day:
    """A day in UTC."""

    day: date

    def __str__(self) -> str:
        return self.day.isoformat()


@dataclass(frozen=True, slots=True)
class DaysAgo:
    """The day in UTC that many days before today."""

    days: int

    def __str__(self) -> str:
        return f"{self.days} days ago"


@dataclass(frozen=True, slots=True)
class Days:
    """The days in UTC from that many days ago through today."""

    days: int

    def __str__(self) -> str:
        return f"{self.days} days"


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written: digits, optionally a minus sign and a decimal point."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Comparison:
    """One name against one value."""

    name: Name
    operator: str
    value: Text | Day | DaysAgo | Days | Number

    def __str__(self) -> str:
        return f"{self.name} {self.operator} {self.value}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """Whether a name's value is among several."""

    name: Name
    values: tuple[Text, ...]

    def __str__(self) -> str:
        return f"{self.name} in ({', '.join(map(str, self.values))})"


@dataclass(frozen=True, slots=True)
class Empty:
    """Whether a column or an attribute is missing or empty."""

    name: Name

    def __str__(self) -> str:
        return f"{self.name} is empty"


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    term: Condition

    def __str__(self) -> str:
        return f"not {_inside(self.term, And, Or)}"


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    terms: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(_inside(term, And, Or) for term in self.terms)


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more."""

    terms: tuple[Condition, ...]

    def __str__(self) -> str:
        return " or ".join(_inside(term, Or) for term in self.terms)


Condition = Comparison | OneOf | Empty | Not | And | Or


def _inside(term: Condition, *loose: type) -> str:
    return f"({term})" if isinstance(term, loose) else str(term)
