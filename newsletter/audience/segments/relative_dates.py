"""Days that are counted from today: which they are, and which way of saying it misleads."""

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
    """The same segment with each such day as a date.

    Args:
        now: Unix seconds; whole days in UTC are counted from it.
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
        UsageError: Shows the column, and the ways to say either.
    """
    for test in each_test(condition):
        match test:
            case Comparison(name, sign, DaysAgo() as ago) if sign in SIZES:
                raise segment_error(
                    text,
                    name.at,
                    f"{test} can be read both ways",
                    f"`{name} after {ago}` are the newer, `{name} before {ago}` the older readers; "
                    f"`{name} within {ago.days} days` has that day, too",
                )


def _day(now: float, days: int) -> date:
    return datetime.fromtimestamp(now, UTC).date() - timedelta(days)
