"""The operator's resources, and what a supervisor asks: alive? ready?"""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

import storage
from watcher.api import operator_answers
from watcher.api.auth import authorize_admin, authorize_local
from watcher.api.context import ENGINE, METRICS, POLICY, STARTED_AT
from watcher.api.describing import ADMIN, Operation
from watcher.clock import now
from watcher.gauges import database_up, gauges_of, registry_of
from watcher.status import admin_status, network_rows, why_not_ready

routes = web.RouteTableDef()


@routes.get("/admin/status")
@Operation(answers={200: operator_answers.Status}, scope=ADMIN)
async def status(request: web.Request) -> web.Response:
    """Everything the operator should see at a glance."""
    authorize_admin(request)
    async with storage.read(request.app[ENGINE]) as conn:
        body = await admin_status(conn, request.app[POLICY], request.app[STARTED_AT], now())
    return web.json_response(body)


@routes.get("/metrics")
@Operation(answers={200: "text/plain"}, scope=ADMIN, local=True)
async def metrics(request: web.Request) -> web.Response:
    """What this process counted, and what the database tells, for Prometheus."""
    authorize_local(request)
    try:
        async with storage.read(request.app[ENGINE]) as conn:
            body = await admin_status(conn, request.app[POLICY], request.app[STARTED_AT], now())
            gauges = await gauges_of(conn, body)
    except storage.StorageUnavailable:
        gauges = [database_up(False)]
    registries = (request.app[METRICS].registry, registry_of(gauges))
    return web.Response(
        body=b"".join(map(generate_latest, registries)),
        headers={"Content-Type": CONTENT_TYPE_LATEST},
    )


@routes.get("/healthz")
@Operation(answers={200: operator_answers.Alive})
async def healthz(request: web.Request) -> web.Response:
    """The process is alive."""
    return web.json_response({"ok": True})


@routes.get("/readyz")
@Operation(answers={200: operator_answers.Ready, 503: operator_answers.Ready})
async def readyz(request: web.Request) -> web.Response:
    """200 while every network is followed and the database answers; else 503 with reasons."""
    try:
        async with storage.read(request.app[ENGINE]) as conn:
            rows = await network_rows(conn, request.app[POLICY], request.app[STARTED_AT], now())
        reasons = why_not_ready(rows)
    except storage.StorageUnavailable:
        reasons = ["the database is away"]
    return web.json_response(
        {"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200
    )
