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
from watcher.refused import EventsGone
from watcher.render import render_event

routes = web.RouteTableDef()


@routes.get("/v1/events")
@Operation(
    answers={200: answers.Events},
    scope="events:read",
    query=EventQuery,
    refuses=(EventsGone,),
)
async def listing(request: web.Request) -> web.Response:
    """The events after a number, oldest first and without gaps.

    Where the next one was forgotten it answers 410 `events_gone`, whose `detail` names the first
    `seq` that is kept: go on with `after` one below it. Without `after` the next one is the first.
    """
    key = await authorize(request, "events:read")
    query = read_query(request, EventQuery)
    if query.wait:
        await request.app[NEWS].wait(key.merchant_id, query.after, query.wait)
    async with storage.read(request.app[ENGINE]) as conn:
        await still_works(conn, key)
        begins = await storage.events.begins(conn, key.merchant_id)
        found = await storage.events.after(conn, key.merchant_id, query.after, query.limit + 1)
    if query.after < begins - 1:
        begun = f"the log begins at seq {begins}, what was before is gone: "
        raise EventsGone(f"{begun}go on with after={begins - 1}", field="after")
    page = found[: query.limit]
    data = [render_event(request.app[POLICY], event) for event in page]
    more = len(found) > query.limit
    cursor = str(page[-1].seq) if more else None
    return web.json_response({"data": data, "next": cursor, "begins": begins})


async def end_waits(app: web.Application) -> None:
    """Answer whoever waits: we stop."""
    app[NEWS].stop()
