"""The two plots of a report: geometry for SVG, and the sentence that says the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from newsletter.deliver import Tally

WIDTH = 1000.0
"""Width of every plot in its own units; the page stretches it."""
MOST_BARS = 60
BIN_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440)
LEAST_SHARE = 6.0
"""Units that one single delivery is wide, so that it can be seen beside 200,000."""


@dataclass(frozen=True, slots=True)
class Share:
    """One state's part of the audience: ``x`` and ``width`` in plot units."""

    state: str
    count: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """What was accepted from ``start`` on (Unix seconds); ``x``, ``width``, ``height`` in units."""

    start: int
    count: int
    x: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class TimePlot:
    """Accepted over time; bars are up to `HEIGHT` high."""

    bars: Sequence[Bar]
    bin_minutes: int
    most: int
    start: str
    end: str
    sentence: str


HEIGHT = 100.0


def shares(counts: Tally) -> list[Share]:
    """Divide the plot's width by state; what is not there gets no share."""
    states = ("accepted", "deferred", "failed", "uncertain", "queued")
    numbers = {state: int(getattr(counts, state)) for state in states}
    numbers["skipped"] = sum(counts.skipped.values())
    present = {state: number for state, number in numbers.items() if number}
    room = WIDTH - LEAST_SHARE * len(present)
    whole = sum(present.values())
    found, x = [], 0.0
    for state, number in present.items():
        width = LEAST_SHARE + room * number / whole
        found.append(Share(state, number, round(x, 2), round(width, 2)))
        x += width
    return found


def over_time(minutes: Mapping[int, int]) -> TimePlot | None:
    """Bars of what was accepted, in bins wide enough that there are at most `MOST_BARS`.

    Args:
        minutes: Accepted in each minute, by its first second.

    Returns:
        None when nothing was accepted.
    """
    if not minutes:
        return None
    bin_minutes = _bin_minutes(min(minutes), max(minutes))
    seconds = bin_minutes * 60
    bins: Counter[int] = Counter()
    for start, count in minutes.items():
        bins[start - start % seconds] += count
    first, last, most = min(bins), max(bins), max(bins.values())
    width = WIDTH / ((last - first) // seconds + 1)
    bars = [
        Bar(
            start,
            count,
            round((start - first) / seconds * width, 2),
            round(width * 0.86, 2),
            round(count / most * HEIGHT, 2),
        )
        for start, count in sorted(bins.items())
    ]
    begins, ends = _clock(first), _clock(last + seconds)
    sentence = _sentence(bars, bin_minutes, begins, ends)
    return TimePlot(bars, bin_minutes, most, begins, ends, sentence)


def _bin_minutes(first: int, last: int) -> int:
    span = (last - first) // 60 + 1
    fitting = (size for size in BIN_MINUTES if span <= size * (MOST_BARS - 1))
    return next(fitting, -(-span // (MOST_BARS - 1)))


def _sentence(bars: Sequence[Bar], bin_minutes: int, start: str, end: str) -> str:
    best = max(bars, key=lambda bar: bar.count)
    every = "minute" if bin_minutes == 1 else f"{bin_minutes} minutes"
    return (
        f"Accepted per {every}, from {start} to {end} UTC: {sum(b.count for b in bars):,} in all, "
        f"most from {_clock(best.start)} on ({best.count:,})."
    )


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%d %b %Y, %H:%M")
