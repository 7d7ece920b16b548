"""When a campaign stops by itself."""

import pytest

from newsletter.delivery.model import Outcome, Result
from newsletter.delivery.runner.circuit_breaker import NEVER, BreakerRule, CircuitBreaker

RULE = BreakerRule(failures=0.1, minimum=40, policy=5)
TAKEN = Outcome(1, Result.ACCEPTED, 250)
GONE = Outcome(2, Result.FAILED, 550, "5.1.1", "no such user")
BLOCKED = Outcome(3, Result.DEFERRED, 421, "4.7.28", "unusual rate of unsolicited mail")


def verdict(*outcomes: Outcome, rule: BreakerRule = RULE) -> str:
    watch = CircuitBreaker(rule)
    watch.learn(outcomes)
    return watch.verdict


@pytest.mark.parametrize(
    ("taken", "gone", "holds"),
    [(36, 4, True), (37, 3, False), (0, 39, False), (0, 40, True), (900, 99, False)],
)
def test_a_share_of_failures_holds_once_there_are_enough(
    taken: int, gone: int, holds: bool
) -> None:
    assert bool(verdict(*[TAKEN] * taken, *[GONE] * gone)) is holds


def test_replies_about_us_hold_though_nothing_has_failed_for_good() -> None:
    assert not verdict(*[BLOCKED] * 4)
    assert verdict(*[BLOCKED] * 5) == "5 replies reject us as a sender, the last with 421 4.7.28"


def test_what_came_back_counts_for_nothing() -> None:
    assert not verdict(*[Outcome(2, Result.RETURNED, reply="spam")] * 100)


def test_a_server_that_answers_nothing_holds() -> None:
    silent = Outcome(1, Result.UNCERTAIN)
    assert not verdict(*[silent] * 39)
    assert verdict(*[silent] * 40)
    assert verdict(*[TAKEN] * 36, *[silent] * 2, *[GONE] * 2) == (
        "2 of the last 40 were refused permanently, and 2 got no reply (10%; the limit is 10%)"
    )


def test_nothing_holds_where_everything_is_switched_off() -> None:
    assert not verdict(*[GONE] * 500, *[BLOCKED] * 500, rule=NEVER)


def test_the_verdict_repeats_nothing_that_a_server_said() -> None:
    said = Outcome(1, Result.FAILED, 550, "5.7.1", "<reader1@mail.example> blocked")
    assert "reader1" not in verdict(*[said] * 40)
