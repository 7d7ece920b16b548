"""How much to offer at a time, and when to pause."""

from __future__ import annotations

import time
from collections.abc import Sequence

from newsletter.delivery.model import Outcome, Result

SMALLEST = 10
SECONDS_OFFERED = 0.5
"""One batch is sent while the next is offered: together about a second's worth."""
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 20.0


class BatchSizer:
    """Adapts the batch size to the speed of a transport.

    Args:
        most: Deliveries in one batch at most.
        whole: Deliveries in every batch, whatever the speed; 0 to adapt it.
    """

    def __init__(self, most: int, whole: int = 0) -> None:
        self._most = most
        self._whole = whole
        self._rate = 100.0
        self._last = time.monotonic()
        self.pause = 0.0
        """Seconds to wait before the next offer, after the transport returned everything."""

    @property
    def size(self) -> int:
        """Deliveries to offer next."""
        if self._whole:
            return self._whole
        return max(1, min(self._most, max(SMALLEST, int(self._rate * SECONDS_OFFERED))))

    def batch_ended(self, outcomes: Sequence[Outcome]) -> None:
        """Learn from a batch."""
        now = time.monotonic()
        elapsed = max(now - self._last, 1e-3)
        self._last = now
        # A moving average: one slow reply must not shrink the batches.
        self._rate = 0.7 * self._rate + 0.3 * len(outcomes) / elapsed
        if all(outcome.result == Result.RETURNED for outcome in outcomes):
            self.pause = min(max(self.pause * 2, SHORTEST_PAUSE_S), LONGEST_PAUSE_S)
        else:
            self.pause = 0.0
