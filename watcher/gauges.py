"""What the database tells, as gauges: the same in every process that serves them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

import storage
from storage import Conn
from watcher.domain.deposits import DepositStatus
from watcher.domain.invoices import InvoiceStatus
from watcher.metrics import PREFIX
from watcher.render import Json

NETWORK_STATES = ("starting", "catching_up", "following", "stalled", "halted")
OF_NETWORK = (  # name, help, and where its value stands in the row of a network
    ("tip_number", "Our newest block.", "tip.number"),
    ("tip_age_seconds", "Since the time of our newest block.", "tip.age_seconds"),
    ("head_number", "The newest block of the endpoint that is asked.", "head"),
    ("lag_blocks", "Blocks from our newest to that one.", "lag_blocks"),
    ("finalized_number", "Our newest final block.", "finalized.number"),
    ("finality_frozen", "1 while nothing is confirmed.", "finalized.frozen"),
    (
        "agreement_waiting",
        "Blocks whose deposits wait for endpoints to agree.",
        "agreement.waiting",
    ),
    ("reorgs_24h", "Reorgs within a day.", "reorgs_24h.count"),
    ("deepest_reorg_24h", "Blocks of the deepest of them.", "reorgs_24h.deepest"),
    ("errors_1h", "Failed turns within an hour.", "errors_1h"),
)
OF_ENDPOINT = (
    ("endpoint_head_number", "Its newest block.", "head"),
    ("endpoint_requests_today", "Requests since midnight UTC.", "requests_today"),
    ("endpoint_requests_forecast", "What they will come to by midnight.", "forecast_today"),
    ("endpoint_requests_budget", "How many it may be asked in a day.", "daily_requests"),
    ("endpoint_errors_1h", "Failed pieces of work within an hour.", "errors_1h"),
)
OF_ALL = (
    ("invoices_delayed", "Open ones that a network which lags delays.", "invoices.delayed"),
    ("deposits_unmatched", "Deposits that await a decision.", "deposits.unmatched"),
    ("webhooks_pending", "Deliveries that wait.", "webhooks.pending"),
    ("webhooks_failing", "Those of them that failed before.", "webhooks.failing"),
    ("webhooks_dead", "Deliveries that were given up.", "webhooks.dead"),
    ("outbox_age_seconds", "Since when the oldest of them waits.", "webhooks.oldest_seconds"),
    ("audit_findings", "Differences that await a decision.", "audit.findings"),
)
Row = tuple[Sequence[str], float | bool | None]
"""Values of the labels, and the gauge's; None: not known, so not shown."""


class Snapshot(Collector):
    """Metrics that are known already."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def registry_of(metrics: Iterable[Metric]) -> CollectorRegistry:
    """A registry that has these metrics only."""
    registry = CollectorRegistry()
    registry.register(Snapshot(metrics))
    return registry


async def gauges_of(conn: Conn, status: Json) -> list[Metric]:
    """Everything that a look at the books and at the operator's `status` tells."""
    deposits = await storage.deposits.counts(conn)
    invoices = await storage.overview.invoices_by_status(conn)
    return [
        database_up(True),
        _gauge(
            "deposits",
            "Deposits by status.",
            ["status"],
            [([each.value], deposits.get(each, 0)) for each in DepositStatus],
        ),
        _gauge(
            "invoices",
            "Invoices by status.",
            ["status"],
            [([each.value], invoices.get(each, 0)) for each in InvoiceStatus],
        ),
        *_of_networks(status["networks"]),
        *_of_endpoints(status["networks"]),
        *(_gauge(name, words, [], [([], _at(status, path))]) for name, words, path in OF_ALL),
        *_of_work(status),
    ]


def database_up(up: bool) -> Metric:
    """Whether the database answers; all other gauges need it."""
    return _gauge("database_up", "1 while the database answers.", [], [([], up)])


def _of_networks(rows: Sequence[Json]) -> Iterator[Metric]:
    states = [
        ([row["network"], state], row["state"] == state) for row in rows for state in NETWORK_STATES
    ]
    yield _gauge("network_state", "1 for the state it is in.", ["network", "state"], states)
    for name, words, path in OF_NETWORK:
        yield _gauge(name, words, ["network"], [([row["network"]], _at(row, path)) for row in rows])


def _of_endpoints(networks: Sequence[Json]) -> Iterator[Metric]:
    rows = [
        ([network["network"], each["name"]], each)
        for network in networks
        for each in network["endpoints"]
    ]
    states = [([*names, row["state"]], True) for names, row in rows]
    labels = ["network", "endpoint"]
    yield _gauge("endpoint_state", "1 for the state it is in.", [*labels, "state"], states)
    for name, words, path in OF_ENDPOINT:
        yield _gauge(name, words, labels, [(names, _at(row, path)) for names, row in rows])


def _of_work(status: Json) -> Iterator[Metric]:
    chores, alarms = status["chores"], status["alarms"]
    yield _gauge(
        "audit_ended_early",
        "1 where the newest audit did not compare all that was due.",
        ["network"],
        [
            ([each["network"]], each["reason"] is not None)
            for each in status["audit"]["networks"]
            if each["last_run"] is not None
        ],
    )
    yield _gauge(
        "chore_failures",
        "Runs that failed, ever.",
        ["chore"],
        [([each["name"]], each["failures"]) for each in chores],
    )
    yield _gauge(
        "rate_age_seconds",
        "Since a source of rates last answered.",
        ["source"],
        [
            ([each["source"]], each["age_seconds"])
            for each in (status["rates"] or {}).get("sources", [])
        ],
    )
    yield _gauge(
        "alarm",
        "1 while a person should look.",
        ["alarm", "subject"],
        [([each["alarm"], each["subject"]], True) for each in alarms],
    )


def _at(row: Json, path: str) -> float | bool | None:
    """What stands at a path such as `tip.number`."""
    value: Any = row
    for key in path.split("."):
        value = value[key]
    return cast("float | bool | None", value)


def _gauge(name: str, words: str, labels: Sequence[str], rows: Iterable[Row]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", words, labels=labels)
    for values, value in rows:
        if value is not None:
            family.add_metric(values, value)
    return family
