"""The counts of a running campaign, updated with each outcome instead of counted again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

from newsletter.delivery.ledger.outcomes import DeliveryState, OutcomeCounts
from newsletter.delivery.ledger.states import ChunkKind
from newsletter.delivery.model import Outcome, Result

EVERY_S = 0.5
_COUNTED = tuple(state for state in DeliveryState if state is not DeliveryState.SKIPPED)


class LiveCounts:
    """Starts from exact counts and adds outcomes; misses only what other processes do.

    Args:
        start: The counts to start from.
        progress: Called about twice a second.
    """

    def __init__(
        self, start: OutcomeCounts, progress: Callable[[OutcomeCounts], None] | None
    ) -> None:
        self._states: Counter[str] = Counter({state: start.of(state) for state in _COUNTED})
        self._audience = start.audience
        self._skipped = Counter(start.skipped)
        self._progress = progress
        self._told = 0.0

    def count(self, kind: ChunkKind, outcomes: Iterable[Outcome]) -> None:
        """Count outcomes of a chunk of this kind."""
        ended = Counter([outcome.result for outcome in outcomes])
        self._leave(kind, ended.total())
        for result, number in ended.items():
            state = DeliveryState.QUEUED if result is Result.RETURNED else DeliveryState(result)
            self._states[state] += number
        self._tell()

    def count_skips(self, kind: ChunkKind, skips: Iterable[tuple[int, str]]) -> None:
        """Count recipients who were skipped, as (position, reason)."""
        reasons = Counter([reason for _, reason in skips])
        self._leave(kind, reasons.total())
        self._skipped.update(reasons)

    def _leave(self, kind: ChunkKind, number: int) -> None:
        # A retry was counted as deferred until now, everything else as queued.
        was = DeliveryState.DEFERRED if kind is ChunkKind.RETRY else DeliveryState.QUEUED
        self._states[was] -= number

    def tell(self) -> None:
        """Report at once, since nothing may happen for a while."""
        self._told = 0.0
        self._tell()

    def _tell(self) -> None:
        now = time.monotonic()
        if self._progress and now - self._told >= EVERY_S:
            self._told = now
            self._progress(
                OutcomeCounts(audience=self._audience, skipped=dict(self._skipped), **self._states)
            )
