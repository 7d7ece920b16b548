"""Progress bars: on a terminal only, on standard error, and gone when done."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from newsletter.cli.output import say

if TYPE_CHECKING:
    from newsletter.delivery.ledger.outcomes import OutcomeCounts

RECENT_S = 30.0
"""The rate is averaged over this time: long enough to be steady, short enough to be current."""
PLAIN_EVERY_S = 30.0
BAR_WIDTH = 60


class _Advance(Protocol):
    def __call__(self, done: int, of: int | None = None) -> None:
        """Show how much is done, and of how much if that changed."""


@contextmanager
def import_bar(path: Path) -> Iterator[Callable[[int], None] | None]:
    """A bar over the rows of a file; its length is unknown until the end."""
    with _bar(f"Reading {path.name}", None) as advance:
        yield advance


@contextmanager
def rows_bar(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar over the rows of a database, whose number comes with each step."""
    with _bar(title, None) as advance:
        yield advance


@contextmanager
def _bar(title: str, total: int | None) -> Iterator[_Advance | None]:
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total)

        def advance(done: int, of: int | None = None) -> None:
            progress.update(task, completed=done, total=of)

        yield advance


@contextmanager
def sending_bar() -> Iterator[Callable[[OutcomeCounts], None]]:
    """A bar over the deliveries of a campaign; without a terminal, a line every 30 s."""
    meter = Meter()
    if not sys.stderr.isatty():
        told = time.monotonic()

        def show_line(counts: OutcomeCounts) -> None:
            nonlocal told
            # On every call, since the rate is measured from one call to the next.
            line = meter.line(counts)
            if time.monotonic() - told >= PLAIN_EVERY_S:
                told = time.monotonic()
                say(line)

        yield show_line
        return
    from rich.console import Console
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    with Live(console=Console(stderr=True), transient=True) as live:

        def show_bar(counts: OutcomeCounts) -> None:
            done, total = done_of(counts)
            view = Table.grid()
            view.add_row(ProgressBar(total=total or 1, completed=done, width=BAR_WIDTH))
            view.add_row(meter.line(counts))
            live.update(view)

        yield show_bar


class Meter:
    """Turns counts into a line: how many, how fast, how much time is left.

    Args:
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def line(self, counts: OutcomeCounts) -> str:
        """Describe how far the campaign is."""
        done, total = done_of(counts)
        now = self._clock()
        self._seen.append((now, done))
        while now - self._seen[0][0] > RECENT_S:
            self._seen.popleft()
        since, before = self._seen[0]
        # Never negative: a delivery that is requeued no longer counts as done.
        rate = max(0.0, (done - before) / (now - since)) if now > since else 0.0
        share = done * 100 // total if total else 100
        parts = [f"{done:,} of {total:,} ({share} %)", f"{rate:,.0f}/s"]
        if done == total and counts.deferred:
            parts.append(f"waiting to retry {counts.deferred:,}; it is safe to press Ctrl-C")
        elif rate and done < total:
            minutes, seconds = divmod(round((total - done) / rate), 60)
            hours, minutes = divmod(minutes, 60)
            left = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
            parts.append(f"about {f'{hours} h {minutes} min' if hours else left} left")
        states = ("accepted", "deferred", "failed", "uncertain")
        parts += [f"{getattr(counts, state):,} {state}" for state in states]
        return "  ".join(parts)


def done_of(counts: OutcomeCounts) -> tuple[int, int]:
    """How many deliveries have an outcome, and how many may be mailed at all."""
    done = counts.accepted + counts.deferred + counts.failed + counts.uncertain
    return done, done + counts.queued
