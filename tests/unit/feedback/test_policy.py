"""Which addresses are suppressed, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.feedback.model import FeedbackKind
from newsletter.feedback.policy import DAY, HALF_LIFE, Consequence, Score, consequence
from newsletter.smtp_replies.classify import ReplyClass

START = 1_780_000_000.0
TIMES = st.lists(st.floats(0, 3_000 * DAY), max_size=40).map(sorted)


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [("hard", "suppress"), ("temporary", "count"), ("policy", "alert"), ("unknown", "keep")],
)
@pytest.mark.parametrize("kind", [FeedbackKind.BOUNCE, FeedbackKind.COMPLAINT])
def test_attributed_reports_have_consequences(kind, verdict, expected):
    assert consequence(kind, ReplyClass(verdict), attributed=True) == expected


@pytest.mark.parametrize("verdict", ReplyClass)
@pytest.mark.parametrize("kind", FeedbackKind)
def test_reports_that_anybody_could_forge_have_none(kind, verdict):
    assert consequence(kind, verdict, attributed=False) is Consequence.KEEP


@pytest.mark.parametrize("verdict", ReplyClass)
@pytest.mark.parametrize(
    "kind", [FeedbackKind.AUTO_REPLY, FeedbackKind.DELIVERED, FeedbackKind.OTHER]
)
def test_automatic_replies_and_letters_have_none(kind, verdict):
    assert consequence(kind, verdict, attributed=True) is Consequence.KEEP


def bounces_until_suppressed(days: float, most: int = 100) -> int | None:
    score = Score()
    for number in range(1, most + 1):
        score = score.plus(START + number * days * DAY)
        if score.is_too_high:
            return number
    return None


@pytest.mark.parametrize(("days", "expected"), [(1, 5), (7, 5), (30, 8), (90, None)])
def test_soft_bounces_until_suppression(days, expected):
    assert bounces_until_suppressed(days) == expected


def test_soft_bounces_within_a_day_count_once():
    score = Score()
    for minute in range(600):
        score = score.plus(START + minute * 60)
    assert score.value == 1


def test_half_the_score_is_left_after_the_half_life():
    assert Score(4, START).faded(START + HALF_LIFE) == 2


@given(TIMES)
def test_the_score_never_exceeds_the_number_of_bounces(times):
    score = Score()
    for time in times:
        score = score.plus(START + time)
    assert 0 <= score.value <= len(times)


@given(st.floats(0, 100), st.floats(0, HALF_LIFE * 50))
def test_a_clock_set_back_adds_nothing(value, back):
    assert Score(value, START).faded(START - back) == value
