"""The contrast ratio, compared with the values in WCAG."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.check.contrast import contrast, too_faint
from newsletter.settings.model import Theme

COLORS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06X}")


def test_black_on_white_has_the_highest_contrast() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)


@given(COLORS, COLORS)
def test_text_and_background_can_be_swapped(one: str, other: str) -> None:
    assert contrast(one, other) == contrast(other, one)
    assert 1 <= contrast(one, other) <= 21.001


def test_the_default_colors_are_readable() -> None:
    assert list(too_faint(Theme().light)) == []
    assert list(too_faint(Theme().dark)) == []
