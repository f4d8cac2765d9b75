"""The API's own description: the OpenAPI document, and a page to read it on."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, select_autoescape

from watcher.api.describing import Operation

DOCUMENT: web.AppKey[dict[str, Any]] = web.AppKey("document")

POLICY_OF_PAGE = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS = {"Content-Security-Policy": POLICY_OF_PAGE, "X-Content-Type-Options": "nosniff"}

routes = web.RouteTableDef()
pages = Environment(
    loader=PackageLoader("watcher.api"), autoescape=select_autoescape(), trim_blocks=True
)


@routes.get("/openapi.json")
@Operation(answers={200: "application/json"})
async def document(request: web.Request) -> web.Response:
    """This document."""
    return web.json_response(request.app[DOCUMENT])


@routes.get("/docs")
@Operation(answers={200: "text/html"})
async def page(request: web.Request) -> web.Response:
    """A page with all operations and shapes, which asks no other host for anything."""
    text = pages.get_template("docs.html").render(document=request.app[DOCUMENT])
    return web.Response(text=text, content_type="text/html", headers=HEADERS)


@routes.get("/docs/style.css")
@Operation(answers={200: "text/css"})
async def style(request: web.Request) -> web.Response:
    """How that page looks."""
    source = pages.get_template("docs.css").render()
    return web.Response(text=source, content_type="text/css", headers=HEADERS)
