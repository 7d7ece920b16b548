"""The plots of a report: geometry for SVG, and text and numbers with the same content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from newsletter.campaign.report.events import Afterwards
from newsletter.delivery.ledger.outcomes import DeliveryState, OutcomeCounts

WIDTH = 1000.0
"""Width of every plot in its own units; the page scales it."""
MOST_BARS = 60
BIN_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440)
LEAST_SHARE = 6.0
"""Width of a single delivery, so that it is visible beside 200,000."""


@dataclass(frozen=True, slots=True)
class Share:
    """One state's part of the audience: ``x`` and ``width`` in plot units."""

    state: str
    count: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class PlotBar:
    """What happened from ``start`` on (Unix seconds); ``x``, ``width``, ``height`` in units."""

    start: int
    count: int
    x: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class TimePlot:
    """Accepted over time; bars are up to `HEIGHT` high."""

    bars: Sequence[PlotBar]
    bin_minutes: int
    most: int
    start: str
    end: str
    sentence: str

    @property
    def bin(self) -> str:
        """How long a bin is, in words."""
        return _span(self.bin_minutes)


@dataclass(frozen=True, slots=True)
class Lane:
    """One kind of event over time; its highest bar is ``most``."""

    kind: str
    count: int
    most: int
    bars: Sequence[PlotBar]


@dataclass(frozen=True, slots=True)
class Lanes:
    """Several kinds of event over the same time; ``rows`` hold the numbers, lane by lane."""

    lanes: Sequence[Lane]
    rows: Sequence[tuple[str, Sequence[int]]]
    bin: str
    start: str
    end: str


HEIGHT = 100.0
LEAST_HEIGHT = 2.0


def shares(counts: OutcomeCounts) -> list[Share]:
    """Divide the plot's width by state; a state without deliveries gets no share."""
    return _shares({state.value: counts.of(state) for state in DeliveryState})


def reported(after: Afterwards, unreported: int) -> list[Share]:
    """Divide the plot's width by the feedback on accepted mail."""
    bounced = {kind.value: number for kind, number in after.bounced.items()}
    return _shares({"delivered": after.delivered, **bounced, "unreported": unreported})


def _shares(numbers: Mapping[str, int]) -> list[Share]:
    present = {state: number for state, number in numbers.items() if number}
    # Every share has its minimum width; only the remaining width is divided by number.
    room = WIDTH - LEAST_SHARE * len(present)
    whole = sum(present.values())
    found, x = [], 0.0
    for state, number in present.items():
        width = LEAST_SHARE + room * number / whole
        found.append(Share(state, number, round(x, 2), round(width, 2)))
        x += width
    return found


def over_time(minutes: Mapping[int, int]) -> TimePlot | None:
    """Plot what was accepted in bins wide enough that there are at most `MOST_BARS`.

    Args:
        minutes: Accepted in each minute, by its first second.

    Returns:
        None when nothing was accepted.
    """
    if not minutes:
        return None
    first, last, seconds = _frame(minutes)
    bars = _bars(_binned(minutes, seconds), first, last, seconds)
    begins, ends = _clock(first), _clock(last + seconds)
    sentence = _sentence(bars, seconds // 60, begins, ends)
    most = max(bar.count for bar in bars)
    return TimePlot(bars, seconds // 60, most, begins, ends, sentence)


def lanes(series: Mapping[str, Mapping[int, int]]) -> Lanes | None:
    """One row of bars for each kind of event, all on one time axis.

    Args:
        series: For each kind, how many in each minute, by its first second.

    Returns:
        None when nothing happened; a kind without events gets no lane.
    """
    present = {kind: minutes for kind, minutes in series.items() if minutes}
    if not present:
        return None
    first, last, seconds = _frame([start for minutes in present.values() for start in minutes])
    binned = {kind: _binned(minutes, seconds) for kind, minutes in present.items()}
    starts = sorted({start for bins in binned.values() for start in bins})
    return Lanes(
        [
            Lane(kind, sum(bins.values()), max(bins.values()), _bars(bins, first, last, seconds))
            for kind, bins in binned.items()
        ],
        [(_clock(start), [bins.get(start, 0) for bins in binned.values()]) for start in starts],
        _span(seconds // 60),
        _clock(first),
        _clock(last + seconds),
    )


def _frame(minutes: Iterable[int]) -> tuple[int, int, int]:
    """Where the first bin and the last one start, and how long a bin is, in seconds."""
    known = list(minutes)
    seconds = _bin_minutes(min(known), max(known)) * 60
    return min(known) // seconds * seconds, max(known) // seconds * seconds, seconds


def _binned(minutes: Mapping[int, int], seconds: int) -> Counter[int]:
    bins: Counter[int] = Counter()
    for start, count in minutes.items():
        bins[start - start % seconds] += count
    return bins


def _bars(bins: Mapping[int, int], first: int, last: int, seconds: int) -> list[PlotBar]:
    most = max(bins.values())
    width = WIDTH / ((last - first) // seconds + 1)
    return [
        PlotBar(
            start,
            count,
            round((start - first) / seconds * width, 2),
            round(width * 0.86, 2),
            round(max(LEAST_HEIGHT, count / most * HEIGHT), 2),
        )
        for start, count in sorted(bins.items())
    ]


def _bin_minutes(first: int, last: int) -> int:
    span = (last - first) // 60 + 1
    fitting = (size for size in BIN_MINUTES if span <= size * (MOST_BARS - 1))
    return next(fitting, -(-span // (MOST_BARS - 1)))


def _sentence(bars: Sequence[PlotBar], bin_minutes: int, start: str, end: str) -> str:
    best = max(bars, key=lambda bar: bar.count)
    return (
        f"Accepted per {_span(bin_minutes)}, from {start} to {end} UTC: "
        f"{sum(bar.count for bar in bars):,} in all, the most from {_clock(best.start)} "
        f"({best.count:,})."
    )


def _span(minutes: int) -> str:
    """A bin's length in words: "minute", "15 minutes", "4 hours", "day"."""
    units = ((1440, "day"), (60, "hour"), (1, "minute"))
    size, name = next(unit for unit in units if minutes % unit[0] == 0)
    return name if minutes == size else f"{minutes // size} {name}s"


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%d %b %Y, %H:%M")
