"""Pages for browsers: plain HTML that asks no other host for anything, and works by itself.

Every link is relative, so a proxy may serve it all below a path of its own.
"""

from __future__ import annotations

from aiohttp import web

from watcher.api.context import ENGINE, NEWS, NODES, POLICY
from watcher.web import assets, astray, checkout, explorer, stream
from watcher.web.dashboard import add_dashboard
from watcher.web.live import Live
from watcher.web.stream import LIVE

__all__ = ["LIVE", "add_pages"]


def add_pages(app: web.Application) -> web.Application:
    """The same application, serving the pages beside the API; `app[LIVE].run` keeps them live."""
    app[LIVE] = Live(app[ENGINE], app[POLICY], app[NEWS])
    app.on_shutdown.append(stream.end_pages)
    for routes in (assets.routes, checkout.routes, stream.routes, astray.routes):
        app.add_routes(routes)
    add_dashboard(app)
    if NODES in app:
        app.add_routes(explorer.routes)
    return app
