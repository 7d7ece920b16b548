"""Any segment, for property tests, and what it means said once more in plain Python."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from hypothesis import strategies as st

from newsletter.audience.segments.model import (
    And,
    Comparison,
    Condition,
    Day,
    Days,
    DaysAgo,
    Empty,
    Name,
    Not,
    Number,
    OneOf,
    Or,
)
from newsletter.audience.segments.model import Text as Value

NOW = 1_790_000_000.0
DAY_S = 86_400
LISTS = ("readers", "sleep", "O'Brien; --")
ATTRIBUTES = ("city", "Größe", "list", "age", "before", "day")
WORDS = ("", "Wien", "wien", "O'Brien", '"; DROP TABLE subscriber; --', "%", "_", "\\", "5", "-2.5")
TEXTS = st.sampled_from(WORDS) | st.text(
    st.characters(exclude_categories=("C", "Z"), include_characters=" "), max_size=4
)
VALUES = TEXTS.map(Value)
COLUMN_NAMES = st.sampled_from(["first_name", "last_name", "language"]).map(Name)
ATTRIBUTE_NAMES = st.sampled_from(ATTRIBUTES).map(lambda name: Name(name, attribute=True))
DATE_NAMES = st.sampled_from(["joined", "subscribed"]).map(Name)
NAMES = COLUMN_NAMES | ATTRIBUTE_NAMES
SIZES = st.sampled_from(["<", "<=", ">", ">="])
NUMBERS = st.sampled_from(["0", "5", "-2.5", "41", "41.5"]).map(Number)
DAYS = st.dates(date(2026, 9, 1), date(2026, 10, 10)).map(Day) | st.integers(0, 30).map(DaysAgo)

TESTS: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Comparison, NAMES, st.sampled_from(["=", "!="]), VALUES),
    st.builds(Comparison, NAMES, st.just("contains"), VALUES.filter(lambda v: bool(v.text))),
    st.builds(OneOf, NAMES, st.lists(VALUES, min_size=1, max_size=3).map(tuple)),
    st.builds(Empty, NAMES),
    st.builds(Comparison, ATTRIBUTE_NAMES, SIZES, NUMBERS),
    st.builds(
        Comparison,
        DATE_NAMES,
        SIZES | st.sampled_from(["=", "!=", "before", "after"]),
        DAYS,
    ),
    st.builds(Comparison, DATE_NAMES, st.just("within"), st.integers(0, 30).map(Days)),
    st.builds(
        Comparison,
        st.just(Name("list")),
        st.sampled_from(["=", "!="]),
        st.sampled_from(LISTS).map(Value),
    ),
)
SEGMENTS: st.SearchStrategy[Condition] = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


@dataclass(frozen=True)
class Person:
    """A subscriber as far as a segment can tell."""

    first_name: str
    last_name: str
    language: str
    joined: float
    subscribed: float
    attributes: dict[str, str] = field(default_factory=dict)
    lists: frozenset[str] = frozenset()


TIMES = st.integers(0, 40).map(lambda day: NOW - NOW % DAY_S - day * DAY_S) | st.integers(
    int(NOW) - 40 * DAY_S, int(NOW)
).map(float)
PEOPLE = st.builds(
    Person,
    TEXTS,
    TEXTS,
    st.sampled_from(["", "de", "de-AT"]),
    TIMES,
    TIMES,
    st.dictionaries(
        st.sampled_from(ATTRIBUTES), TEXTS | st.sampled_from(["41", "41.50", "5.", "1e3", "²"])
    ),
    st.sets(st.sampled_from(LISTS[1:])).map(lambda names: frozenset({"readers", *names})),
)


def holds(condition: Condition, person: Person) -> bool:  # noqa: PLR0911 -- one a case
    """Whether a person is in a segment."""
    match condition:
        case And(terms):
            return all(holds(term, person) for term in terms)
        case Or(terms):
            return any(holds(term, person) for term in terms)
        case Not(term):
            return not holds(term, person)
        case Empty(name):
            return not _text(name, person)
        case OneOf(name, values):
            return _text(name, person) in {value.text for value in values}
        case Comparison(Name("list", attribute=False), sign, Value(name)):
            return (name in person.lists) is (sign == "=")
        case Comparison(name, "contains", Value(text)):
            return text in _text(name, person)
        case Comparison(name, sign, Value(text)):
            return (_text(name, person) == text) is (sign == "=")
        case Comparison(name, sign, Number(text)):
            found = _text(name, person)
            number = re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", found)
            return bool(number) and _ordered(float(found), sign, float(text))
        case Comparison(name, sign, Day(day)):
            return _ordered(_day(getattr(person, name.text)), sign, _day_number(day))
        case Comparison(name, "within", Days(days)):
            return _day(getattr(person, name.text)) >= _day(NOW) - days
        case Comparison(name, sign, DaysAgo(days)):
            return _ordered(_day(getattr(person, name.text)), sign, _day(NOW) - days)
    raise AssertionError(condition)


def _text(name: Name, person: Person) -> str:
    return person.attributes.get(name.text, "") if name.attribute else getattr(person, name.text)


def _day(at: float) -> int:
    return int(at // DAY_S)


def _day_number(day: date) -> int:
    return _day(datetime.combine(day, time(), UTC).timestamp())


def _ordered(one: float, sign: str, other: float) -> bool:
    return {
        "=": one == other,
        "!=": one != other,
        "<": one < other,
        "before": one < other,
        "after": one > other,
        "<=": one <= other,
        ">": one > other,
        ">=": one >= other,
    }[sign]
