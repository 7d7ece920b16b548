"""When a message is tried again: soon at first, then ever later, and never too late to be known."""

import itertools

import pytest

from newsletter.queues import outgoing
from newsletter.transactional.lifecycle import LIFETIME_S, LONGEST_WAIT_S, WAITS_S, wait_s


@pytest.mark.parametrize(("tries", "usual"), list(enumerate(WAITS_S, start=1)))
def test_the_first_waits_are_those_of_greylisting(tries: int, usual: float) -> None:
    assert all(0.9 * usual <= wait_s(tries) <= 1.1 * usual for _ in range(100))


def test_waits_grow_and_stay_bounded() -> None:
    middle = [1800.0, 3600.0, 7200.0, LONGEST_WAIT_S, LONGEST_WAIT_S]
    for tries, usual in enumerate(middle, start=len(WAITS_S) + 1):
        assert 0.9 * usual <= wait_s(tries) <= 1.1 * usual
    # What is put off for longer than this counts as written by a wrong clock.
    assert max(wait_s(tries) for tries in range(1, 2000)) < outgoing.LONGEST_WAIT_S


def test_there_are_tries_until_the_link_has_expired() -> None:
    last = itertools.takewhile(
        lambda at: at < LIFETIME_S, itertools.accumulate(wait_s(n) for n in itertools.count(1))
    )
    assert max(last) > LIFETIME_S - 1.1 * LONGEST_WAIT_S
