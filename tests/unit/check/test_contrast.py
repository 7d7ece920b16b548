"""The contrast ratio, held against what WCAG says of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.check.contrast import contrast, too_faint
from newsletter.settings.model import Theme

COLORS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06X}")


def test_black_on_white_has_the_most() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)


@given(COLORS, COLORS)
def test_it_does_not_matter_which_is_behind(one: str, other: str) -> None:
    assert contrast(one, other) == contrast(other, one)
    assert 1 <= contrast(one, other) <= 21.001


def test_our_own_colors_can_be_read() -> None:
    assert list(too_faint(Theme().light)) == []
    assert list(too_faint(Theme().dark)) == []
