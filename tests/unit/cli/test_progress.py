"""The line that is shown while a campaign is sent."""

from collections.abc import Iterator
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from newsletter.cli.progress import Meter
from newsletter.delivery.ledger.outcomes import OutcomeCounts


def every(seconds: float) -> Iterator[float]:
    return (tick * seconds for tick in count())


def test_it_says_how_many_how_fast_and_how_long_still() -> None:
    clock = every(10.0)
    meter = Meter(lambda: next(clock))
    meter.line(OutcomeCounts(audience=4000, queued=3800, skipped={"bounced": 200}))
    line = meter.line(
        OutcomeCounts(
            audience=4000,
            accepted=990,
            deferred=7,
            failed=2,
            uncertain=1,
            queued=2800,
            skipped={"bounced": 200},
        )
    )
    assert line == (
        "1,000 of 3,800 (26 %)  100/s  about 28 s left  "
        "990 accepted  7 deferred  2 failed  1 uncertain"
    )


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    clock = every(10.0)
    meter = Meter(lambda: next(clock))
    for accepted in (0, 5000, 5000, 5000, 5000, 5000, 5000):
        line = meter.line(OutcomeCounts(audience=9000, accepted=accepted, queued=9000 - accepted))
    assert "  0/s  " in line
    assert "left" not in line, "nobody knows how long a standstill lasts"


@given(
    st.lists(st.integers(0, 10**7), min_size=4, max_size=4),
    st.integers(0, 10**7),
    st.floats(0.001, 1e6),
)
def test_any_counts_make_one_line(ended: list[int], queued: int, step: float) -> None:
    clock = every(step)
    meter = Meter(lambda: next(clock))
    for share in (0, 1):
        numbers = [number * share for number in ended]
        line = meter.line(OutcomeCounts(sum(numbers) + queued, *numbers, queued=queued))
    assert "\n" not in line
    assert f"{ended[0]:,} accepted" in line
