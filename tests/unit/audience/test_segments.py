"""The language of segments: what is written, what it is read as, and how it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.segments.model import Condition
from newsletter.audience.segments.parse import parse_segment
from newsletter.audience.segments.relative_dates import relative_dates, require_clear
from newsletter.errors import UsageError
from tests.support.segments_drawn import NOW, PEOPLE, SEGMENTS, Person, holds

PIECES = st.sampled_from(
    r"""and or not ( ) = != < in is empty city joined list "a" ' " \ , 30 days ago 2026-02-30 before
    after within day    contains attribute. ;""".split()  # noqa: SIM905 -- shorter
)


@given(SEGMENTS)
def test_the_canonical_text_reads_as_the_same_segment(segment: Condition) -> None:
    text = str(segment)
    assert parse_segment(text) == segment
    assert str(parse_segment(text)) == text


@given(st.text(max_size=60) | st.lists(PIECES, max_size=25).map(" ".join))
def test_garbage_is_refused_and_nothing_else_happens(text: str) -> None:
    refused = ""
    try:
        text = str(parse_segment(text))
    except UsageError as error:
        refused = error.message
    assert refused.startswith("--segment, column ") or str(parse_segment(text)) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("city=Vienna", 'city = "Vienna"'),
        ("CITY = x AND age>=40", 'CITY = "x" and age >= 40'),
        ("a=1 or b=2 and not c=3", 'a = "1" or b = "2" and not c = "3"'),
        ("(a=1 or b=2) and c=3", '(a = "1" or b = "2") and c = "3"'),
        ("((city is not empty))", "not city is empty"),
        ("city not in (Graz, 'New York')", 'not city in ("Graz", "New York")'),
        ("joined > 30 days ago", "joined > 30 days ago"),
        ("joined after 30 days ago", "joined after 30 days ago"),
        ("subscribed BEFORE 1 day ago", "subscribed before 1 days ago"),
        ("joined before 2026-01-31", "joined before 2026-01-31"),
        ("joined within 7 days", "joined within 7 days"),
        ("before = after and day = within", 'before = "after" and day = "within"'),
        ("subscribed <= 2026-01-31", "subscribed <= 2026-01-31"),
        ("attribute.language = de", 'attribute.language = "de"'),
        ("attribute.city contains V", 'city contains "V"'),
    ],
)
def test_what_is_written_and_how_it_is_recorded(text: str, canonical: str) -> None:
    assert str(parse_segment(text)) == canonical


@given(SEGMENTS, PEOPLE)
def test_a_segment_with_dates_in_place_of_days_has_the_same_people(
    segment: Condition, person: Person
) -> None:
    with_dates = relative_dates(segment, NOW)
    assert holds(with_dates, person) == holds(segment, person)
    text = str(with_dates)
    assert parse_segment(text) == with_dates


def test_the_day_that_is_meant_is_said() -> None:
    for written, meant in (
        ("joined after 30 days ago", "joined after 2026-08-22"),
        ("not joined within 30 days", "not joined >= 2026-08-22"),
    ):
        assert str(relative_dates(parse_segment(written), NOW)) == meant


@pytest.mark.parametrize("sign", ["<", "<=", ">", ">="])
def test_what_reads_as_its_opposite_is_refused_with_both_clear_ways(sign: str) -> None:
    text = f"city = Vienna and not subscribed {sign} 30 days ago"
    with pytest.raises(UsageError, match="column 23") as refused:
        require_clear(text, parse_segment(text))
    for clear in ("after 30 days ago", "before 30 days ago", "within 30 days"):
        assert f"subscribed {clear}" in refused.value.fix
        require_clear(clear, parse_segment(f"subscribed {clear}"))
    require_clear("", parse_segment(f"joined {sign} 2026-01-31 or joined = 0 days ago"))


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "expected a name"),
        ("city = = x", 8, "expected a value"),
        ("city = New York", 12, "unexpected"),
        ('city = "Vienna', 8, "not closed"),
        ("joined > 2026-02-30", 10, "expected a date"),
        ("joined > yesterday", 10, "2026-01-31"),
        ("joined within 2026-01-31", 15, "write 30 days"),
        ("joined within 30 days ago", 23, "unexpected"),
        ("city before 2026-01-31", 6, "expected a comparison"),
        ("age > old", 7, "expected a number"),
        ("first_name > 5", 12, "expected a comparison"),
        ("joined in (x)", 1, "does not work with joined"),
        ("list is empty", 1, "never empty"),
        ('city contains ""', 15, "contains an empty text"),
        ("(city = x", 10, "`)`"),
        ("city = 'a\x00b'", 10, "invisible"),
        ("(" * 40 + "a=1" + ")" * 40, 32, "deep"),
        ("a=1" + " " * 2000, 2001, "longer"),
    ],
)
def test_a_refusal_points_at_the_column(text: str, column: int, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_segment(text)
    assert refused.value.message.startswith(f"--segment, column {column}:")
    assert words in str(refused.value)
    shown, caret = refused.value.message.splitlines()[1:3]
    assert len(caret) <= len(shown) + 1
