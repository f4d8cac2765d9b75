"""Charts of what came in: how many payments a day, and how long they took."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

import storage
from storage import statistics
from storage.statistics import DAY, Spread
from watcher.api.context import ENGINE, POLICY
from watcher.clock import now, rfc3339
from watcher.domain.money import Network
from watcher.web.dashboard.charts import Bars, draw_bars
from watcher.web.dashboard.frame import operator, render

DAYS = 30
STEPS = (
    (5, "5 s"),
    (15, "15 s"),
    (60, "1 min"),
    (300, "5 min"),
    (900, "15 min"),
    (3600, "1 h"),
)
"""Seconds up to which a delay belongs to a step."""
BOUNDS = [seconds for seconds, _ in STEPS]

routes = web.RouteTableDef()


@routes.get("/admin/payments")
@operator
async def payments(request: web.Request) -> web.Response:
    """The last days of every network."""
    today = now() // DAY * DAY
    since = today - (DAYS - 1) * DAY
    async with storage.read(request.app[ENGINE]) as conn:
        counts = await statistics.per_day(conn, since)
        detected = await statistics.until_detected(conn, since, BOUNDS)
        confirmed = await statistics.until_confirmed(conn, since, BOUNDS)
    enabled = request.app[POLICY].networks
    names: list[str] = [*enabled, *sorted({network for network, _ in counts} - set(enabled))]
    days: list[tuple[str, dict[str, int]]] = [
        (rfc3339(day)[:10], {name: counts.get((Network(name), day), 0) for name in names})
        for day in range(since, today + 1, DAY)
    ]
    facts = {
        "days": DAYS,
        "per_day": draw_bars(days, names),
        "first_day": days[0][0],
        "last_day": days[-1][0],
        "totals": {name: sum(numbers[name] for _, numbers in days) for name in names},
        "detected": _bars(detected, names),
        "confirmed": _bars(confirmed, names),
        "steps": [*(words for _, words in STEPS), "more"],
    }
    return await render(request, "payments.html", facts)


def _bars(spread: Spread, names: Sequence[str]) -> Bars:
    """For each step of time a bar of all networks."""
    labels = [*(f"up to {words}" for _, words in STEPS), f"more than {STEPS[-1][1]}"]
    found: dict[str, list[int]] = {name: counts for name, counts in spread.items()}
    steps = [
        (label, {name: counts[place] for name, counts in found.items()})
        for place, label in enumerate(labels)
    ]
    return draw_bars(steps, names)
