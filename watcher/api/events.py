"""The log of a merchant's events: read on from any of them, or wait for the next."""

from __future__ import annotations

from aiohttp import web

import storage
from watcher.api import answers
from watcher.api.auth import authorize, still_works
from watcher.api.context import ENGINE, NEWS, POLICY
from watcher.api.describing import Operation
from watcher.api.models import EventQuery
from watcher.api.reading import read_query
from watcher.render import render_event

routes = web.RouteTableDef()


@routes.get("/v1/events")
@Operation(answers={200: answers.Events}, scope="events:read", query=EventQuery)
async def listing(request: web.Request) -> web.Response:
    """The events after a number, oldest first and without gaps."""
    key = await authorize(request, "events:read")
    query = read_query(request, EventQuery)
    if query.wait:
        await request.app[NEWS].wait(key.merchant_id, query.after, query.wait)
    async with storage.read(request.app[ENGINE]) as conn:
        await still_works(conn, key)
        begins = await storage.events.begins(conn, key.merchant_id)
        found = await storage.events.after(conn, key.merchant_id, query.after, query.limit + 1)
    page = found[: query.limit]
    data = [render_event(request.app[POLICY], event) for event in page]
    more = len(found) > query.limit
    cursor = str(page[-1].seq) if more else None
    return web.json_response({"data": data, "next": cursor, "begins": begins})


async def end_waits(app: web.Application) -> None:
    """Answer whoever waits: we stop."""
    app[NEWS].stop()
