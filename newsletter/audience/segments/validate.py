"""Checks that the lists and attributes in a segment exist: a typing error would match nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from sqlalchemy import Connection, select

from newsletter.audience.lists import attribute_names
from newsletter.audience.segments.errors import segment_error
from newsletter.audience.segments.model import (
    LIST,
    And,
    Comparison,
    Condition,
    Empty,
    Name,
    Not,
    OneOf,
    Or,
    Text,
)
from newsletter.audience.tables import mailing_list

_SHOWN = 20


def validate(connection: Connection, text: str, condition: Condition, list_name: str) -> None:
    """Refuse a segment with a list that does not exist, or an attribute that nobody has.

    Args:
        text: What the condition was read from.
        list_name: The list to select from: somebody on it must have the attribute.

    Raises:
        UsageError: Shows the column, and the existing names.
    """
    tests = list(each_test(condition))
    if any(test.name.attribute for test in tests):
        known = attribute_names(connection, list_name)
        for name in (test.name for test in tests if test.name.attribute):
            _require(text, name, known, f"nobody on the list {list_name} has the attribute")
    named: list[Text] = []
    for test in tests:
        if test.name.text == LIST and not test.name.attribute:
            match test:
                case OneOf(values=values):
                    named += values
                case Comparison(value=Text() as value):
                    named.append(value)
    if named:
        lists = list(connection.execute(select(mailing_list.c.name)).scalars())
        for value in named:
            _require(text, value, sorted(lists), "there is no list")


def each_test(condition: Condition) -> Iterator[Comparison | OneOf | Empty]:
    """The tests that a segment is made of, in order."""
    match condition:
        case And(terms) | Or(terms):
            for term in terms:
                yield from each_test(term)
        case Not(term):
            yield from each_test(term)
        case _:
            yield condition


def _require(text: str, named: Name | Text, known: Sequence[str], message: str) -> None:
    if named.text in known:
        return
    near = get_close_matches(named.text, known, n=3)
    shown = ", ".join(known[:_SHOWN]) + (", …" if len(known) > _SHOWN else "")
    fix = f"did you mean {' or '.join(near)}?" if near else f"the known ones are: {shown or 'none'}"
    raise segment_error(text, named.at, f"{message} {named.text!r}", fix)
