"""A segment's text -> its tree, by recursive descent.

any     = all { "or" all }
all     = one { "and" one }
one     = "not" one | "(" any ")" | test
test    = name ( "is" [ "not" ] "empty" | [ "not" ] "in" "(" value { "," value } ")"
          | "contains" value | ( "=" | "!=" ) value | ( "<" | "<=" | ">" | ">=" ) number )
        | date ( ( "=" | "!=" | "<" | "<=" | ">" | ">=" | "before" | "after" ) day
          | "within" N "days" )
date    = "joined" | "subscribed"
day     = YYYY-MM-DD | N "days" "ago"
"""

from __future__ import annotations

import re
from datetime import date

from newsletter.audience.segments.errors import segment_error
from newsletter.audience.segments.model import (
    ATTRIBUTE,
    COLUMNS,
    DATES,
    KEYWORDS,
    LIST,
    SIZES,
    TIMES,
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
    Text,
)
from newsletter.audience.segments.tokens import SegmentToken, tokenize
from newsletter.errors import UsageError

# Recursion: Python's own limit would be a traceback.
DEEPEST = 30
_NAME = re.compile(r"\w{1,80}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,5})?")
_DAYS = re.compile(r"[0-9]{1,5}")
_DAY_HINT = "write 2026-01-31 or 30 days ago"


def parse_segment(text: str) -> Condition:
    """Read an expression.

    Args:
        text: As typed, or `str` of an earlier result: both give the same.

    Raises:
        UsageError: The expression is invalid; the message shows the column.
    """
    parser = _Parser(text)
    condition = parser.any(0)
    if parser.next.kind != "end":
        raise parser.error(f"unexpected {parser.next}", "join tests with `and` or `or`")
    return condition


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._at = 0

    @property
    def next(self) -> SegmentToken:
        return self._tokens[self._at]

    def any(self, depth: int) -> Condition:
        terms = [self._all(depth)]
        while self._take("or"):
            terms.append(self._all(depth))
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def error(self, message: str, fix: str, at: int | None = None) -> UsageError:
        return segment_error(self._text, self.next.at if at is None else at, message, fix)

    def _all(self, depth: int) -> Condition:
        terms = [self._one(depth)]
        while self._take("and"):
            terms.append(self._one(depth))
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def _one(self, depth: int) -> Condition:
        if depth > DEEPEST:
            raise self.error(f"nested more than {DEEPEST} levels deep", "simplify it")
        if self._take("not"):
            return Not(self._one(depth + 1))
        if self._take("("):
            inner = self.any(depth + 1)
            self._require(")")
            return inner
        return self._test()

    def _test(self) -> Condition:
        name = self._name()
        if self._take("is"):
            opposite = self._take("not")
            self._require("empty")
            if not name.attribute and name.text not in COLUMNS:
                raise self.error(f"{name} is never empty", "compare it with a value", name.at)
            return Not(Empty(name)) if opposite else Empty(name)
        if self._take("not"):
            self._require("in")
            return Not(self._one_of(name))
        if self._take("in"):
            return self._one_of(name)
        return self._comparison(name)

    def _name(self) -> Name:
        token = self.next
        text = token.text.removeprefix(ATTRIBUTE)
        explicit = text != token.text
        good = token.kind == "word" and _NAME.fullmatch(text)
        if not good or (not explicit and text.casefold() in KEYWORDS):
            names = ", ".join((LIST, *COLUMNS, *DATES))
            raise self.error(
                f"expected a name, not {token}", f"use {names}, or the name of an attribute"
            )
        self._at += 1
        return Name(text, explicit or text not in (LIST, *COLUMNS, *DATES), token.at)

    def _one_of(self, name: Name) -> OneOf:
        if not name.attribute and name.text in DATES:
            fix = f"write {name} after 2026-01-31"
            raise self.error(f"`in` does not work with {name}", fix, name.at)
        self._require("(")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self._require(")")
        return OneOf(name, tuple(values))

    def _comparison(self, name: Name) -> Comparison:
        operator = self.next
        possible: tuple[str, ...] = ("=", "!=", "contains")
        if name.attribute:
            possible = ("=", "!=", *SIZES, "contains")
        elif name.text in DATES:
            possible = (*TIMES, "=", "!=", *SIZES)
        elif name.text == LIST:
            possible = ("=", "!=")
        if operator.kind == "text" or operator.text.casefold() not in possible:
            raise self.error(
                f"expected a comparison after {name}, not {operator}",
                f"use one of {' '.join(possible)}",
            )
        self._at += 1
        sign = operator.text.casefold()
        if not name.attribute and name.text in DATES:
            return Comparison(name, sign, self._days() if sign == "within" else self._day())
        if sign in SIZES:
            number = self.next
            if number.kind != "word" or not _NUMBER.fullmatch(number.text):
                raise self.error(f"expected a number, not {number}", "< <= > >= compare numbers")
            self._at += 1
            return Comparison(name, sign, Number(number.text))
        value = self._value()
        if sign == "contains" and not value.text:
            raise self.error("every value contains an empty text", "write a text", value.at)
        return Comparison(name, sign, value)

    def _value(self) -> Text:
        token = self.next
        keyword = token.kind == "word" and token.text.casefold() in KEYWORDS
        if token.kind not in {"word", "text"} or keyword:
            raise self.error(f"expected a value, not {token}", 'write a word, or "a text"')
        self._at += 1
        return Text(token.text, token.at)

    def _day(self) -> Day | DaysAgo:
        token = self.next
        if token.kind == "word" and _DAYS.fullmatch(token.text):
            days = self._days().days
            self._require("ago")
            return DaysAgo(days)
        try:
            if token.kind != "word" or not _DATE.fullmatch(token.text):
                raise ValueError
            day = date.fromisoformat(token.text)
        except ValueError:
            raise self.error(f"expected a date, not {token}", _DAY_HINT) from None
        self._at += 1
        return Day(day)

    def _days(self) -> Days:
        token = self.next
        if token.kind != "word" or not _DAYS.fullmatch(token.text):
            raise self.error(f"expected a number of days, not {token}", "write 30 days")
        self._at += 1
        if not self._take("day"):
            self._require("days")
        return Days(int(token.text))

    def _take(self, wanted: str) -> bool:
        found = self.next.kind in {"word", "mark"} and self.next.text.casefold() == wanted
        self._at += found
        return found

    def _require(self, wanted: str) -> None:
        if not self._take(wanted):
            raise self.error(f"expected `{wanted}`, not {self.next}", f"add `{wanted}`")
