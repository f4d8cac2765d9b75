"""The shapes of small charts, drawn by a template: curves over time, stacked bars, shares.

Plain geometry in a box of WIDTH x HEIGHT; an axis from 0 to the greatest value, never cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

WIDTH, HEIGHT = 600, 120
SLOTS = 150
"""A curve has so many points at most; each is the worst of its share of the time."""
Point = tuple[int, int | None]
"""A time in epoch seconds, and a value; None where it was not known."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Values over time, with gaps where there are none."""

    lines: Sequence[str]
    """For each stretch without a gap the `points` of a polyline."""
    top: int
    """The value at the upper edge."""
    last: int | None
    """The newest value."""
    first_at: int
    last_at: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a stacked bar."""

    series: int
    """Which colour."""
    x: int
    y: int
    width: int
    height: int
    label: str


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar for each step of an axis, with a part for each series."""

    bars: Sequence[Bar]
    top: int
    series: Sequence[str]


def draw_curve(points: Sequence[Point], start: int, end: int, gap_seconds: int) -> Curve:
    """A curve of `points`, oldest first, from `start` to `end`.

    Two that are further apart than `gap_seconds`, and than a slot, are not joined: nobody knows
    what was between them.
    """
    slot_seconds = max(1, -(-(end - start) // SLOTS))
    worst = _worst_of_slots(points, start, slot_seconds)
    top = max([1, *(value for _, value in worst)])
    longest = max(gap_seconds, 2 * slot_seconds)
    lines: list[list[str]] = []
    former: int | None = None
    for at, value in worst:
        if former is None or at - former > longest:
            lines.append([])
        x = (at - start) * WIDTH // max(1, end - start)
        lines[-1].append(f"{x},{HEIGHT - value * HEIGHT // top}")
        former = at
    return Curve(
        lines=[_visible(line) for line in lines],
        top=top,
        last=points[-1][1] if points else None,
        first_at=start,
        last_at=end,
    )


def draw_bars(
    steps: Sequence[tuple[str, Mapping[str, int]]], series: Sequence[str], gap: int = 3
) -> Bars:
    """Bars for `steps`, each a label and a number for each of the series that has one."""
    top = max([1, *(sum(counts.values()) for _, counts in steps)])
    edges = [place * WIDTH // max(1, len(steps)) for place in range(len(steps) + 1)]
    bars = []
    for (label, counts), (left, right) in zip(steps, pairwise(edges), strict=True):
        below = 0
        for number, name in enumerate(series):
            count = counts.get(name, 0)
            if count:
                low, high = (level * HEIGHT // top for level in (below, below + count))
                low = min(low, HEIGHT - 1)
                height = max(1, high - low)
                bars.append(
                    Bar(
                        number,
                        left,
                        HEIGHT - low - height,
                        max(1, right - left - gap),
                        height,
                        f"{label}, {name}: {count}",
                    )
                )
            below += count
    return Bars(bars, top, series)


def _worst_of_slots(
    points: Sequence[Point], start: int, slot_seconds: int
) -> list[tuple[int, int]]:
    """The greatest value of each slot, at the time at which it was so."""
    worst: dict[int, tuple[int, int]] = {}
    for at, value in points:
        if value is None or at < start:
            continue
        slot = (at - start) // slot_seconds
        if slot not in worst or value > worst[slot][1]:
            worst[slot] = (at, value)
    return [worst[slot] for slot in sorted(worst)]


def _visible(line: Sequence[str]) -> str:
    """A single point drawn to itself, which a round cap makes a dot."""
    return " ".join(line if len(line) > 1 else [*line, *line])
