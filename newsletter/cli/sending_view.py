"""What a sending looks like while it goes on: one live line, or a plain one now and then."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from newsletter.cli.context import say

if TYPE_CHECKING:
    from rich.table import Table

    from newsletter.delivery.ledger.outcomes import OutcomeCounts

Show = Callable[["OutcomeCounts"], None]

RECENT_S = 30.0
"""The rate is that of so many seconds: long enough to be calm, short enough to be true."""
PLAIN_EVERY_S = 30.0
BAR_WIDTH = 60


class Meter:
    """Turns counts into a line: how many, how fast, how long still.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def line(self, counts: OutcomeCounts) -> str:
        """Say where things stand."""
        done, total = progress_of(counts)
        rate = self._rate(done)
        share = done * 100 // total if total else 100
        parts = [f"{done:,} of {total:,} ({share} %)", f"{rate:,.0f}/s"]
        if done == total and counts.deferred:
            parts.append(f"waiting to try {counts.deferred:,} again; Ctrl-C costs nothing")
        elif rate and done < total:
            parts.append(f"about {_length((total - done) / rate)} left")
        states = ("accepted", "deferred", "failed", "uncertain")
        parts += [f"{getattr(counts, state):,} {state}" for state in states]
        return "  ".join(parts)

    def _rate(self, done: int) -> float:
        now = self._clock()
        self._seen.append((now, done))
        while now - self._seen[0][0] > RECENT_S:
            self._seen.popleft()
        since, before = self._seen[0]
        return max(0.0, (done - before) / (now - since)) if now > since else 0.0


def progress_of(counts: OutcomeCounts) -> tuple[int, int]:
    """How many deliveries have an outcome, of how many that may be mailed."""
    done = counts.accepted + counts.deferred + counts.failed + counts.uncertain
    return done, done + counts.queued


@contextmanager
def sending_view() -> Iterator[Show]:
    """Show counts as they come: on a terminal a bar, gone when done; else a line every 30 s."""
    if not sys.stderr.isatty():
        yield _plain()
        return
    from rich.console import Console
    from rich.live import Live

    meter = Meter()
    with Live(console=Console(stderr=True), transient=True) as live:
        yield lambda counts: live.update(_bar(counts, meter.line(counts)))


def _plain() -> Show:
    meter = Meter()
    told = time.monotonic()

    def show(counts: OutcomeCounts) -> None:
        nonlocal told
        line = meter.line(counts)
        if time.monotonic() - told >= PLAIN_EVERY_S:
            told = time.monotonic()
            say(line)

    return show


def _bar(counts: OutcomeCounts, line: str) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    done, total = progress_of(counts)
    view = Table.grid()
    view.add_row(ProgressBar(total=total or 1, completed=done, width=BAR_WIDTH))
    view.add_row(line)
    return view


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
