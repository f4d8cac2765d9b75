"""The HTTP API: an aiohttp application, one file per resource."""

from __future__ import annotations

from aiohttp import web
from aiohttp.log import server_logger

from storage import Engine
from watcher.api import (
    admin,
    audit,
    compat,
    deposits,
    documentation,
    events,
    invoices,
    merchants,
    rates,
    tools,
    wallets,
    webhooks,
)
from watcher.api.context import (
    ADMIN_TOKEN,
    BOX,
    CLIENTS,
    ENGINE,
    METRICS,
    NEWS,
    NODES,
    POLICY,
    STARTED_AT,
    Setup,
)
from watcher.api.cors import ORIGINS, preflight, tell_origin
from watcher.api.documentation import DOCUMENT
from watcher.api.errors import is_ours, problems
from watcher.api.limits import ACCESS, LIMITS, Access, Limits, tell_quota
from watcher.api.openapi import build_document
from watcher.api.reading import LARGEST_BODY
from watcher.api.tools import RESCANS
from watcher.policy import Policy

__all__ = ["RESOURCES", "Access", "Setup", "build_app"]

RESOURCES = (
    invoices,
    deposits,
    events,
    rates,
    wallets,
    webhooks,
    admin,
    audit,
    merchants,
    tools,
    documentation,
)


def build_app(engine: Engine, policy: Policy, setup: Setup) -> web.Application:
    """The application that serves contract.md 4."""
    server_logger.addFilter(is_ours)
    app = web.Application(middlewares=[preflight, problems], client_max_size=LARGEST_BODY)
    app[ENGINE], app[POLICY] = engine, policy
    app[ADMIN_TOKEN], app[STARTED_AT] = setup.admin_token, setup.started_at
    app[BOX], app[NEWS] = setup.box, setup.news
    app[ACCESS], app[LIMITS] = setup.access, Limits(setup.access)
    app[ORIGINS] = setup.access.cors_origins
    app[CLIENTS], app[RESCANS], app[METRICS] = setup.clients, {}, setup.metrics
    app.on_response_prepare.extend([tell_quota, tell_origin])
    app.on_shutdown.append(events.end_waits)
    app.cleanup_ctx.extend((tools.end_rescans, webhooks.open_sender))
    routes = [route for resource in RESOURCES for route in resource.routes]
    app.add_routes(routes)
    app[DOCUMENT] = build_document(routes)
    compat.mount(app, setup.faces)
    if setup.nodes:
        app[NODES] = setup.nodes
    return app
