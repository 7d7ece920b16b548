"""Dates relative to today: resolving them, and refusing ambiguous ones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from newsletter.audience.segments.errors import segment_error
from newsletter.audience.segments.model import (
    SIZES,
    And,
    Comparison,
    Condition,
    Day,
    Days,
    DaysAgo,
    Not,
    Or,
)
from newsletter.audience.segments.validate import each_test


def relative_dates(condition: Condition, now: float) -> Condition:
    """The same segment with each relative date as an absolute one.

    Args:
        now: Unix seconds; days are whole days in UTC.
    """
    match condition:
        case And(terms):
            return And(tuple(relative_dates(term, now) for term in terms))
        case Or(terms):
            return Or(tuple(relative_dates(term, now) for term in terms))
        case Not(term):
            return Not(relative_dates(term, now))
        case Comparison(name, sign, DaysAgo(days)):
            return Comparison(name, sign, Day(_day(now, days)))
        case Comparison(name, "within", Days(days)):
            return Comparison(name, ">=", Day(_day(now, days)))
    return condition


def require_clear(text: str, condition: Condition) -> None:
    """Refuse ``joined > 30 days ago``: it reads as "longer ago", and means the later day.

    Args:
        text: What the condition was read from.

    Raises:
        UsageError: Shows the column, and unambiguous ways to write either.
    """
    for test in each_test(condition):
        match test:
            case Comparison(name, sign, DaysAgo() as ago) if sign in SIZES:
                raise segment_error(
                    text,
                    name.at,
                    f"{test} is ambiguous",
                    f"write `{name} after {ago}` for newer subscribers, `{name} before {ago}` for "
                    f"older ones, or `{name} within {ago.days} days` to include that day",
                )


def _day(now: float, days: int) -> date:
    return datetime.fromtimestamp(now, UTC).date() - timedelta(days)
