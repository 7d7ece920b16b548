"""The tally of a running campaign, kept by adding instead of counting everything again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

from newsletter.delivery.ledger.attempts import SKIPPED
from newsletter.delivery.ledger.outcomes import QUEUED, OutcomeCounts
from newsletter.delivery.model import Outcome, Result

EVERY_S = 0.5


class LiveCounts:
    """Starts from a true tally and follows what happens; drifts only with what others do.

    Args:
        start: The tally to start from.
        progress: Told about twice a second.
    """

    def __init__(
        self, start: OutcomeCounts, progress: Callable[[OutcomeCounts], None] | None
    ) -> None:
        self._states = Counter(
            {state: getattr(start, state) for state in (*_ENDED, QUEUED)},
        )
        self._audience = start.audience
        self._skipped = Counter(start.skipped)
        self._progress = progress
        self._told = 0.0

    def count(self, kind: str, outcomes: Iterable[Outcome]) -> None:
        """Count outcomes of a chunk of this kind."""
        ended = Counter([outcome.result for outcome in outcomes])
        self._leave(kind, ended.total())
        for result, number in ended.items():
            self._states[QUEUED if result == Result.RETURNED else result.value] += number
        self._tell()

    def count_skips(self, kind: str, skips: Iterable[tuple[int, str]]) -> None:
        """Count who was skipped."""
        reasons = Counter([reason for _, reason in skips])
        self._leave(kind, reasons.total())
        self._skipped.update(reasons)

    def _leave(self, kind: str, number: int) -> None:
        self._states[Result.DEFERRED.value if kind == "retry" else QUEUED] -= number

    def tell(self) -> None:
        """Tell at once: nothing may happen for a while."""
        self._told = 0.0
        self._tell()

    def _tell(self) -> None:
        now = time.monotonic()
        if self._progress and now - self._told >= EVERY_S:
            self._told = now
            self._progress(
                OutcomeCounts(audience=self._audience, skipped=dict(self._skipped), **self._states)
            )


_ENDED = tuple(Result(state).value for state in Result if state not in {Result.RETURNED, SKIPPED})
