"""Whoever asks for what is no page: led to the one that is meant, or told on one that it is not.

A browser asks for where a form was sent to when its answer is loaded again, in another language, or
by itself.
"""

from __future__ import annotations

from aiohttp import web

from watcher.api.limits import count
from watcher.refused import NotFound
from watcher.web.assets import ASSETS
from watcher.web.checkout import PLACE, go_back
from watcher.web.pages import as_page

routes = web.RouteTableDef()


@routes.get("/")
async def top(request: web.Request) -> web.Response:
    """The operator's pages; a payer has a link of his own."""
    raise web.HTTPFound("admin/")


@routes.get("/favicon.ico")
async def icon(request: web.Request) -> web.Response:
    """What is asked for beside what is no page of ours, as the API's answers."""
    raise web.HTTPFound(ASSETS["icon.svg"].path)


@routes.get(PLACE + "/")
@routes.get(PLACE + "/{form:answers|cancel|sandbox-pay|select}")
async def beside(request: web.Request) -> web.Response:
    """The page itself, in the language that was chosen."""
    return go_back(request)


@routes.get("/pay/{rest:.*}")
@as_page
async def nothing(request: web.Request) -> web.Response:
    """A page that says so."""
    count(request)
    raise NotFound("there is no such page")
