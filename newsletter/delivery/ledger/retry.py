"""Whether to try again, and when: a decision, never a sleep."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

MINUTE = 60.0
HOUR = 60 * MINUTE


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff, in seconds.

    RFC 5321 section 4.5.4.1 asks for at least half an hour between later tries and for four to
    five days of patience; a newsletter is stale after three.
    """

    first_delay: float = MINUTE
    factor: float = 3.0
    longest_delay: float = 4 * HOUR
    give_up_after: float = 72 * HOUR

    def rounded(self, at: float) -> float:
        """The time, not before ``at``, at which retries due about then are sent together."""
        grain = self.first_delay / 4
        return ceil(at / grain) * grain if grain else at


@dataclass(frozen=True, slots=True)
class Later:
    """Try again at this time (Unix seconds)."""

    at: float


@dataclass(frozen=True, slots=True)
class Final:
    """Do not try again: the delivery has failed."""


DEFAULT_POLICY = RetryPolicy()


def decide(
    attempts: int,
    since: float,
    now: float,
    *,
    jitter: float,
    policy: RetryPolicy = DEFAULT_POLICY,
) -> Later | Final:
    """Decide what follows a deferral.

    Args:
        attempts: How often this delivery has been deferred, this time included.
        since: When it was first deferred (Unix seconds).
        now: Unix seconds.
        jitter: From 0 to 1; spreads the delay by up to a quarter, so that messages deferred
            together are not retried together.
        policy: How patient to be.
    """
    if now - since >= policy.give_up_after:
        return Final()
    # Capped: the power overflows a float after some hundred attempts.
    steps = min(attempts - 1, 32)
    delay = min(policy.first_delay * policy.factor**steps, policy.longest_delay)
    return Later(min(now + delay * (1 + jitter / 4), since + policy.give_up_after))
