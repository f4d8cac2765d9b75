"""How the dashboard writes times, durations and names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from watcher.clock import rfc3339

UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


def duration(seconds: int | None) -> str:
    """About how long: 90 -> "90 s", 7260 -> "2 h"."""
    if seconds is None:
        return "unknown"
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= 2 * size), (1, "s"))
    return f"{seconds // size} {unit}"


def moment(text: str | None) -> str:
    """A time of our JSON for people: "2026-11-22 05:03:09 UTC"."""
    return "never" if text is None else f"{text[:10]} {text[11:19]} UTC"


def clock(seconds: int) -> str:
    """Epoch seconds for people."""
    return moment(rfc3339(seconds))


def spoken(name: str) -> str:
    """A name of the API for people: "partially_paid" -> "partially paid"."""
    return name.replace("_", " ")


FILTERS: Mapping[str, Callable[..., str]] = {
    "duration": duration,
    "moment": moment,
    "clock": clock,
    "spoken": spoken,
}
