"""When to try again."""

from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.ledger.retry import HOUR, MINUTE, Final, Later, RetryPolicy, decide

# Whole seconds: their sums are exact, so that an end is where it is said to be.
policies = st.builds(
    RetryPolicy,
    first_delay=st.floats(1, 3600),
    factor=st.floats(1, 10),
    longest_delay=st.floats(3600, 90000),
    give_up_after=st.integers(3600, 300000).map(float),
)


def test_delays_grow_to_a_limit() -> None:
    delays = [decide(n, 0.0, 0.0, jitter=0.0) for n in (1, 2, 3, 4, 50)]
    expected = [MINUTE, 3 * MINUTE, 9 * MINUTE, 27 * MINUTE, 4 * HOUR]
    assert delays == [Later(delay) for delay in expected]


@given(policies, st.integers(1, 1000), st.integers(0, 400000), st.floats(0, 1))
def test_a_decision_is_never_in_the_past_and_never_past_the_end(
    policy: RetryPolicy, attempts: int, age: int, jitter: float
) -> None:
    decision = decide(attempts, 1000.0, 1000.0 + age, jitter=jitter, policy=policy)
    if age >= policy.give_up_after:
        assert decision == Final()
    else:
        assert isinstance(decision, Later)
        assert 1000.0 + age < decision.at <= 1000.0 + policy.give_up_after


@given(policies, st.floats(0, 2e9))
def test_rounding_joins_neighbours_and_is_never_early(policy: RetryPolicy, at: float) -> None:
    assert at - 1e-3 <= policy.rounded(at) <= at + policy.first_delay
