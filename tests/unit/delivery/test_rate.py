"""One limit, moment by moment."""

from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.ledger.rate import Bucket

NOW = 1_790_000_000.0
SPEEDS = st.floats(0.02, 5000)


def taken(bucket: Bucket) -> int:
    number = 0
    while bucket.room:
        bucket.take()
        number += 1
    return number


@given(SPEEDS)
def test_what_was_idle_may_send_a_second_s_worth_and_one_at_least(speed: float) -> None:
    assert taken(Bucket(speed, 0.0, NOW)) in {max(1, int(speed)), max(1, int(speed + 0.01))}


@given(SPEEDS, st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_over_any_time_no_more_goes_out_than_the_rate_and_one_burst(
    speed: float, pauses: list[float]
) -> None:
    tat, now, total = 0.0, NOW, 0
    for pause in pauses:
        now += pause
        bucket = Bucket(speed, tat, now)
        total += min(taken(bucket), 10_000)
        tat = bucket.tat
    burst = max(1.0, speed)
    assert total <= (now - NOW) * speed + burst + 1


@given(SPEEDS)
def test_after_the_wait_there_is_room(speed: float) -> None:
    bucket = Bucket(speed, 0.0, NOW)
    taken(bucket)
    assert bucket.wait > 0
    assert Bucket(speed, bucket.tat, NOW + bucket.wait + 1e-6).room >= 1


@given(SPEEDS, st.floats(0, 1e9))
def test_a_clock_that_is_set_back_costs_one_burst_at_most(speed: float, back: float) -> None:
    bucket = Bucket(speed, 0.0, NOW)
    taken(bucket)
    later = Bucket(speed, bucket.tat, NOW - back)
    assert later.wait <= max(1.0, 1 / speed) + 1e-3
