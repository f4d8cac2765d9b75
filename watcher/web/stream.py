"""The live page: server-sent events with the parts that changed, for as long as it is open."""

from __future__ import annotations

import json
from contextlib import suppress

from aiohttp import web

from watcher.api.context import POLICY
from watcher.api.errors import Problem
from watcher.api.limits import LIMITS, count
from watcher.clock import now
from watcher.web.checkout import PLACE, setting_of
from watcher.web.drawing import Setting, draw, heading
from watcher.web.live import Crowded, Live, Page
from watcher.web.pages import HEADERS
from watcher.web.sight import sight_of

LIVE: web.AppKey[Live] = web.AppKey("live")
BEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 3000
STREAM = {
    "Content-Type": "text/event-stream",
    "X-Accel-Buffering": "no",
}  # nginx holds it back else

routes = web.RouteTableDef()


@routes.get(PLACE + "/events")
async def events(request: web.Request) -> web.StreamResponse:
    """All parts at first; then, whenever something changes, those that did."""
    count(request)
    live, id = request.app[LIVE], request.match_info["id"]
    try:
        async with live.open(id, request.app[LIMITS].address_of(request)) as page:
            response = web.StreamResponse(headers={**HEADERS, **STREAM})
            await response.prepare(request)
            with suppress(ConnectionResetError):  # the reader left
                await _tell(request, response, live, page)
            return response
    except Crowded as error:
        raise Problem(503, "too many pages are open", headers={"Retry-After": "15"}) from error


async def end_pages(app: web.Application) -> None:
    """End every stream: we stop, and they come back to who is there then."""
    app[LIVE].stop()


async def _tell(request: web.Request, response: web.StreamResponse, live: Live, page: Page) -> None:
    # Links in the parts are seen from the page, one level above this stream.
    setting = setting_of(request)
    setting = Setting(
        setting.words, setting.root.removeprefix("../"), setting.tail, setting.sandbox
    )
    versions: dict[str, str] = {}
    await response.write(f"retry: {RETRY_MILLISECONDS}\n\n".encode())
    while not live.over:
        news = _news(request, page, setting, versions)
        await response.write(news or b": still here\n\n")
        await page.change(BEAT_SECONDS)


def _news(
    request: web.Request, page: Page, setting: Setting, versions: dict[str, str]
) -> bytes | None:
    """The parts whose versions are not the told ones, which are noted; None: there is no news."""
    time, scene = now(), page.scene
    sight = sight_of(request.app[POLICY], scene, time, "choose" in request.query)
    parts = draw(sight, scene.merchant, setting)
    changed = {name: part for name, part in parts.items() if versions.get(name) != part.version}
    if not changed:
        return None
    versions.update({name: part.version for name, part in changed.items()})
    title = heading(sight, setting.words)
    told = {
        "now": time,
        "phase": sight.phase.value,
        "heading": title,
        "title": f"{title} · {scene.merchant}",
        "parts": {name: [part.version, part.html] for name, part in changed.items()},
    }
    return f"event: parts\ndata: {json.dumps(told)}\n\n".encode()
