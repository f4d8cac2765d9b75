"""The first page, and one for each network: how everything does, and how it did."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

import storage
from storage.samples import KEPT_SECONDS, Sample
from watcher.api.context import ENGINE, POLICY, STARTED_AT
from watcher.api.tools import newest_rescan
from watcher.clock import now
from watcher.domain.money import Network
from watcher.refused import NotFound
from watcher.status import admin_status
from watcher.web.dashboard.charts import Curve, draw_curve
from watcher.web.dashboard.frame import operator, render

DAY = 86_400
GAP_SECONDS = 150  # a heartbeat notes one sample a minute

routes = web.RouteTableDef()


@routes.get("/admin")
async def move(request: web.Request) -> web.Response:
    """Where people go who leave the slash out."""
    raise web.HTTPPermanentRedirect("admin/")


@routes.get("/admin/")
@operator
async def overview(request: web.Request) -> web.Response:
    """Everything at a glance."""
    policy, moment = request.app[POLICY], now()
    async with storage.read(request.app[ENGINE]) as conn:
        report = await admin_status(conn, policy, request.app[STARTED_AT], moment)
        ages = {
            name: _ages(await storage.samples.since(conn, name, moment - DAY), DAY, moment)
            for name in policy.networks
        }
    return await render(request, "overview.html", {"report": report, "ages": ages})


@routes.get("/admin/networks/{network}")
@operator
async def network(request: web.Request) -> web.Response:
    """One network: its endpoints, its lag over a day and a week, the newest rescan."""
    policy, moment = request.app[POLICY], now()
    name = Network(request.match_info["network"])
    if name not in policy.networks:
        raise NotFound("there is no such enabled network")
    async with storage.read(request.app[ENGINE]) as conn:
        report = await admin_status(conn, policy, request.app[STARTED_AT], moment)
        samples = await storage.samples.since(conn, name, moment - KEPT_SECONDS)
    [row] = [each for each in report["networks"] if each["network"] == name]
    [audited] = [each for each in report["audit"]["networks"] if each["network"] == name]
    facts = {
        "row": row,
        "audited": audited,
        "day": _ages(samples, DAY, moment),
        "week": _ages(samples, KEPT_SECONDS, moment),
        "lag": _lags(samples, DAY, moment),
        "rescan": newest_rescan(request.app, name),
    }
    return await render(request, "network.html", facts)


def _ages(samples: Sequence[Sample], seconds: int, moment: int) -> Curve:
    points = [(each.at, each.age_seconds) for each in samples]
    return draw_curve(points, moment - seconds, moment, GAP_SECONDS)


def _lags(samples: Sequence[Sample], seconds: int, moment: int) -> Curve:
    points = [(each.at, each.lag_blocks) for each in samples]
    return draw_curve(points, moment - seconds, moment, GAP_SECONDS)
