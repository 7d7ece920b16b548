"""Times that people type."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.campaign.schedule import parse_when
from newsletter.cli.send_view import duration
from newsletter.errors import InputError

NOW = datetime(2026, 5, 1, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-12-01T09:00", "2026-12-01T08:00"),
        ("2026-07-01 09:00", "2026-07-01T07:00"),
        ("2026-12-01T09:00+00:00", "2026-12-01T09:00"),
        ("2026-12-01T09:00Z", "2026-12-01T09:00"),
        ("2026-10-25T02:30+01:00", "2026-10-25T01:30"),
    ],
)
def test_a_time_is_local_unless_it_says_otherwise(text: str, utc: str) -> None:
    assert datetime.fromtimestamp(parse_when(text, NOW), UTC).isoformat()[:16] == utc


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tomorrow", "not a date"),
        ("2026-12-01", "no time of day"),
        ("2026-04-30T09:00", "is in the past"),
        ("2026-10-25T02:30", "twice"),
        ("2027-03-28T02:30", "never"),
        ("0001-01-01T00:00", "the year 1"),
        ("9999-12-31T23:59-12:00", "the year 9999"),
    ],
)
def test_a_time_that_cannot_be_meant_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_when(text, NOW)


@given(
    st.integers(1, 5_000_000_000),
    st.integers(-23 * 60, 23 * 60),
)
def test_with_an_offset_nothing_is_left_to_guess(later: int, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    wanted = datetime.fromtimestamp(NOW + later, zone)
    assert parse_when(wanted.isoformat(), NOW) == NOW + later


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (59.5, "1 min 0 s"), (3600, "1 h 0 min"), (90000, "1 d 1 h")],
)
def test_a_duration_in_two_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text
