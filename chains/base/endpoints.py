"""An endpoint as it is configured, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """One URL of a network, as configured."""

    name: str
    url: str
    requests_per_second: int | None = None
    daily_requests: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    solidity_url: str | None = None
    """Where a Tron node answers `walletsolidity/`; None: under `url`, as providers do."""

    def __repr__(self) -> str:
        return f"EndpointSettings({self.name!r})"  # URLs and headers carry keys


EndpointState = Literal[
    "new", "healthy", "slow", "lagging", "waiting", "refused", "forked", "quarantined"
]


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """How an endpoint does, for the status; holds no URL."""

    name: str
    state: EndpointState
    head: int | None
    latency_p50_ms: int | None
    latency_p99_ms: int | None
    requests_today: int
    daily_requests: int | None
    forecast_today: int
    errors_1h: int
    reason: str | None
    """The newest fault while the endpoint is not healthy; None when it is."""
    traces: bool | None = None
    """Whether it tells of calls within transactions; None: not known, or nobody asks."""


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing that `doctor` found out about an endpoint."""

    endpoint: str
    check: str
    """`chain`, `head`, `receipts`, `finality`, `token USDT` …"""
    ok: bool | None
    """None: a warning, nothing that loses deposits by itself."""
    detail: str
