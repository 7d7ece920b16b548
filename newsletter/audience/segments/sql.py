"""A segment's tree -> one SQL condition on `subscriber` joined with `subscription`.

Every value is a bound parameter. Nothing is ever NULL, so that `not` gives the opposite: a missing
attribute is an empty text. Only what SQLite and PostgreSQL do alike is used: no LIKE, no lower.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy import Double, Text, and_, case, cast, exists, func, not_, or_
from sqlalchemy.sql.elements import ColumnElement

from newsletter.audience.model import SubscriptionState
from newsletter.audience.segments import model
from newsletter.audience.segments.model import And, Comparison, Condition, Empty, Not, OneOf, Or
from newsletter.audience.segments.relative_dates import relative_dates
from newsletter.audience.tables import mailing_list, subscriber, subscription

DAY_S = 86_400.0
_DIGITS = "0123456789"
_LONGEST_NUMBER = 15
_BY_SIZE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def where(condition: Condition, now: float) -> ColumnElement[bool]:
    """The condition for a query over `subscriber` joined with `subscription`.

    Args:
        now: Unix seconds; relative dates are counted from it.
    """
    match condition:
        case And(terms):
            return and_(*(where(term, now) for term in terms))
        case Or(terms):
            return or_(*(where(term, now) for term in terms))
        case Not(term):
            return not_(where(term, now).self_group())
        case Empty(name):
            return _text(name) == ""
        case OneOf(name, values):
            return _among(name, [value.text for value in values])
        case Comparison():
            return _compare(condition, now)


def _compare(test: Comparison, now: float) -> ColumnElement[bool]:
    match test.value:
        case model.Number(text):
            return _compare_number(_text(test.name), test.operator, float(text))
        case model.Day(day):
            start = datetime.combine(day, time(), UTC).timestamp()
            return _compare_day(test.name, test.operator, start)
        case model.DaysAgo() | model.Days():
            return where(relative_dates(test, now), now)
        case model.Text(text):
            if test.operator == "contains":
                # No LIKE: its case sensitivity and its escapes differ between the databases.
                value = _text(test.name)
                return func.replace(value, text, "") != value
            found = _among(test.name, [text])
            return found if test.operator == "=" else not_(found)


def _compare_day(name: model.Name, sign: str, start: float) -> ColumnElement[bool]:
    at = subscriber.c.created_at if name.text == "joined" else subscription.c.created_at
    end = start + DAY_S
    signs = {
        "=": and_(at >= start, at < end),
        "!=": or_(at < start, at >= end),
        "before": at < start,
        "<": at < start,
        "<=": at < end,
        "after": at >= end,
        ">": at >= end,
        ">=": at >= start,
    }
    return signs[sign]


def _among(name: model.Name, values: list[str]) -> ColumnElement[bool]:
    if name.attribute or name.text != model.LIST:
        return _text(name).in_(values)
    member, named = subscription.alias(), mailing_list.alias()
    return exists().where(
        member.c.subscriber_id == subscriber.c.id,
        member.c.list_id == named.c.id,
        member.c.state == SubscriptionState.ACTIVE,
        named.c.name.in_(values),
    )


def _text(name: model.Name) -> ColumnElement[str]:
    if not name.attribute:
        return subscriber.c[name.text]
    return func.coalesce(cast(subscriber.c.attributes[name.text].as_string(), Text), "")


def _compare_number(value: ColumnElement[str], sign: str, number: float) -> ColumnElement[bool]:
    """A comparison that is false for values that are not numbers, and never casts those: PostgreSQL
    would raise.
    """
    digits = case((func.substr(value, 1, 1) == "-", func.substr(value, 2)), else_=value)
    rest = func.ltrim(digits, _DIGITS)
    fraction = func.substr(rest, 2)
    is_number = and_(
        func.length(value) <= _LONGEST_NUMBER,
        func.substr(digits, 1, 1).in_(list(_DIGITS)),
        or_(
            rest == "",
            and_(
                func.substr(rest, 1, 1) == ".", fraction != "", func.ltrim(fraction, _DIGITS) == ""
            ),
        ),
    )
    compared = _BY_SIZE[sign](cast(value, Double), number)
    return case((is_number, case((compared, 1), else_=0)), else_=0) == 1
