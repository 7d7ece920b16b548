"""One order of reasons, for whoever asks why somebody is not mailed."""

from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.mailability import SkipReason, first_reason
from newsletter.audience.model import SuppressionReason


@given(st.lists(st.sampled_from(list(SkipReason))))
def test_of_several_reasons_the_first_of_the_order_is_named(found: list[SkipReason]) -> None:
    named = first_reason(map(str, found))
    assert named == next((reason for reason in SkipReason if reason in found), None)


def test_the_words_that_reports_and_scripts_know_stay() -> None:
    assert [reason.value for reason in SkipReason] == [
        "erased",
        "complained",
        "bounced",
        "unsubscribed",
        "manual",
        "unconfirmed",
        "paused",
        "already-sent",
    ]


def test_every_suppression_has_its_place_in_the_order() -> None:
    assert {reason.value for reason in SuppressionReason} <= set(SkipReason)
