"""Pages for browsers: plain HTML that asks no other host for anything, and works by itself.

Every link is relative, so a proxy may serve it all below a path of its own.
"""

from __future__ import annotations

from aiohttp import web

from watcher.web import assets
from watcher.web.dashboard import add_dashboard

__all__ = ["add_pages"]


def add_pages(app: web.Application) -> web.Application:
    """The same application, serving the pages beside the API."""
    app.add_routes(assets.routes)
    add_dashboard(app)
    return app
