"""What handlers share: the keys of the application's parts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from chains.base import ChainClient
from storage import Engine
from watcher.api.limits import Access
from watcher.domain.money import Network
from watcher.keys import SecretBox
from watcher.metrics import Metrics
from watcher.policy import Policy
from watcher.sandbox import Node
from watcher.wakeup import News

ENGINE: web.AppKey[Engine] = web.AppKey("engine")
POLICY: web.AppKey[Policy] = web.AppKey("policy")
ADMIN_TOKEN: web.AppKey[str] = web.AppKey("admin_token")
BOX: web.AppKey[SecretBox] = web.AppKey("box")
NEWS: web.AppKey[News] = web.AppKey("news")
CLIENTS: web.AppKey[Mapping[Network, ChainClient]] = web.AppKey("clients")
"""What this process asks the networks through, as its followers do."""
NODES: web.AppKey[Mapping[Network, Node]] = web.AppKey("nodes")
"""The embedded nodes; only in a sandbox."""
METRICS: web.AppKey[Metrics] = web.AppKey("metrics")
STARTED_AT: web.AppKey[int] = web.AppKey("started_at")


@dataclass(frozen=True, slots=True)
class Setup:
    """What serving takes beside the database and the policy."""

    admin_token: str
    started_at: int
    box: SecretBox
    news: News
    access: Access = field(default_factory=Access)
    nodes: Mapping[Network, Node] = field(default_factory=dict)
    clients: Mapping[Network, ChainClient] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=Metrics)
    faces: Collection[str] | None = None
    """Which compatible faces are served; None: all."""
