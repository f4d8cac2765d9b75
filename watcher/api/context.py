"""What handlers share: the keys of the application's parts."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from chains.base import ChainClient
from storage import Engine
from watcher.domain.money import Network
from watcher.policy import Policy
from watcher.sandbox import Node

ENGINE: web.AppKey[Engine] = web.AppKey("engine")
POLICY: web.AppKey[Policy] = web.AppKey("policy")
ADMIN_TOKEN: web.AppKey[str] = web.AppKey("admin_token")
CLIENTS: web.AppKey[Mapping[Network, ChainClient]] = web.AppKey("clients")
"""What this process asks the networks through, as its followers do."""
NODES: web.AppKey[Mapping[Network, Node]] = web.AppKey("nodes")
"""The embedded nodes; only in a sandbox."""
STARTED_AT: web.AppKey[int] = web.AppKey("started_at")
