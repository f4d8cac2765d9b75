"""The HTTP API: an aiohttp application, one file per resource."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from chains.base import ChainClient
from storage import Engine
from watcher.api import admin, audit, deposits, explorer, invoices, tools
from watcher.api.context import (
    ADMIN_TOKEN,
    CLIENTS,
    ENGINE,
    NODES,
    POLICY,
    STARTED_AT,
)
from watcher.api.errors import problems
from watcher.api.reading import LARGEST_BODY
from watcher.api.tools import RESCANS
from watcher.domain.money import Network
from watcher.policy import Policy
from watcher.sandbox import Node


def build_app(
    engine: Engine,
    policy: Policy,
    admin_token: str,
    started_at: int,
    nodes: Mapping[Network, Node] | None = None,
    clients: Mapping[Network, ChainClient] | None = None,
) -> web.Application:
    """The application that serves contract.md 4; in a sandbox, whose `nodes` are, pages on them."""
    app = web.Application(middlewares=[problems], client_max_size=LARGEST_BODY)
    app[ENGINE], app[POLICY] = engine, policy
    app[ADMIN_TOKEN], app[STARTED_AT] = admin_token, started_at
    app[CLIENTS], app[RESCANS] = clients or {}, {}
    app.cleanup_ctx.append(tools.end_rescans)
    for resource in (invoices, deposits, admin, audit, tools):
        app.add_routes(resource.routes)
    if nodes:
        app[NODES] = nodes
        app.add_routes(explorer.routes)
    return app
