"""The operator's dashboard under /admin/: pages over the use cases that the API has, too."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from watcher.api.context import ADMIN_TOKEN, POLICY
from watcher.api.limits import ACCESS, Limits
from watcher.web.dashboard import books, chain, entrance, overview, payments, words, work
from watcher.web.dashboard.sessions import SESSIONS, Sessions
from watcher.web.pages import templates

RESOURCES = (entrance, overview, books, work, chain, payments)


def add_dashboard(app: web.Application) -> None:
    """Serve the dashboard; its cookies need HTTPS where the pages are reached by it."""
    secure = app[POLICY].public_url.startswith("https://")
    app[SESSIONS] = Sessions(app[ADMIN_TOKEN], secure=secure)
    app[entrance.LOGINS] = Limits(replace(app[ACCESS], per_ip_per_minute=entrance.PER_MINUTE))
    for resource in RESOURCES:
        app.add_routes(resource.routes)
    templates.filters.update(words.FILTERS)
