"""The most common values, in bounded memory."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.importing.value_counts import Tally
from newsletter.audience.model import ValueCount


@given(st.lists(st.sampled_from(["", "a", "b", "c"])))
def test_few_values_are_counted_exactly(values: list[str]) -> None:
    tally = Tally(different=3)
    for value in values:
        tally.add(value)
    assert {one.value: one.rows for one in tally.commonest(9)} == Counter(values)
    assert tally.rows == len(values)


def test_a_common_value_stands_out_of_any_number_and_no_count_is_too_high() -> None:
    tally = Tally(different=10)
    for number in range(1000):
        tally.add(f"id {number}")
        tally.add("no")
        tally.add("")
    assert tally.commonest(2) == (ValueCount("no", 1000), ValueCount("", 1000))
    assert tally.different <= 11
    assert all(one.rows == 1 for one in tally.commonest(99)[2:])


def test_long_values_are_shortened_and_shown_safely() -> None:
    tally = Tally()
    tally.add("x" * 10_000)
    assert len(tally.values()[0]) < 100
    assert str(ValueCount("a\u202eb", 1200)) == r"'a\\u202eb' 1,200"
    assert str(ValueCount("", 1)) == "(blank) 1"
