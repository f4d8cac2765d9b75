"""Durations as people write them: "90s", "30m", "1h", "2d"."""

from __future__ import annotations

import re

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST = 366 * SECONDS["d"]

_WRITTEN = re.compile(r"([1-9][0-9]{0,9})([smhd])", re.ASCII)


def parse_duration(text: str, longest: int = LONGEST) -> int:
    """Seconds; raises ValueError saying what a duration looks like."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError('must be a duration such as "90s", "30m", "1h" or "2d"')
    seconds = int(match[1]) * SECONDS[match[2]]
    if seconds > longest:
        raise ValueError(f"must be a duration of at most {longest // SECONDS['d']} days")
    return seconds


def show_duration(seconds: int) -> str:
    """The shortest exact spelling of a positive number of seconds: 3600 -> "1h"."""
    unit = next(unit for unit in "dhms" if seconds % SECONDS[unit] == 0)
    return f"{seconds // SECONDS[unit]}{unit}"
