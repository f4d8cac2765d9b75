"""What this process counts, for `GET /metrics`; what the database tells is in `gauges`.

Labels are names from the configuration and from this code: never a URL, a key or a merchant.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

from chains.base import Outcome
from watcher.domain.money import Network

PREFIX = "deposit_watcher"
STEP_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
RPC_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        self.blocks = self._counter("blocks", "Blocks connected.", "network")
        self.transfers = self._counter(
            "transfers", "Transfers of listed assets in them, whoever was paid.", "network"
        )
        self.reorgs = self._counter("reorgs", "Reorgs followed.", "network")
        self.reorged = self._counter("reorged_blocks", "Blocks that they disconnected.", "network")
        self.steps = self._histogram(
            "step_seconds", "Storing blocks with all consequences, by transaction.", "network"
        )
        self.proofs = self._histogram(
            "proof_seconds", "Reading and proving a block, waiting for a turn included.", "network"
        )
        self.requests = self._counter(
            "rpc_requests", "Requests to endpoints.", "network", "endpoint", "method", "outcome"
        )
        self.rpc = Histogram(
            f"{PREFIX}_rpc_seconds",
            "From a request to the end of its answer, or to its failure.",
            ["network", "endpoint"],
            buckets=RPC_BUCKETS,
            registry=self.registry,
        )
        self.deliveries = self._counter(
            "webhook_tries", "Tries to deliver an event, by how they ended.", "outcome"
        )

    def delivered(self, accepted: bool) -> None:
        """A try to deliver an event is over."""
        self.deliveries.labels("accepted" if accepted else "failed").inc()

    def unstored(self) -> None:
        """How a try ended could not be stored: a bug of ours, and it is tried again."""
        self.deliveries.labels("unstored").inc()

    def of(self, network: Network) -> Meter:
        """What counts for one network."""
        return Meter(self, network)

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", words, labels, registry=self.registry)

    def _histogram(self, name: str, words: str, *labels: str) -> Histogram:
        return Histogram(
            f"{PREFIX}_{name}", words, labels, buckets=STEP_BUCKETS, registry=self.registry
        )


class Meter:
    """Counts for one network; a `chains.base.Observer` of its client, and its follower's."""

    def __init__(self, metrics: Metrics, network: Network) -> None:
        self._metrics, self._network = metrics, network
        self._blocks = metrics.blocks.labels(network)
        self._transfers = metrics.transfers.labels(network)
        self._reorgs = metrics.reorgs.labels(network)
        self._reorged = metrics.reorged.labels(network)
        self._steps = metrics.steps.labels(network)
        self._proofs = metrics.proofs.labels(network)

    def asked(self, endpoint: str, method: str, outcome: Outcome, seconds: float) -> None:
        """A request to the endpoint of this name ended."""
        self._metrics.requests.labels(self._network, endpoint, method, outcome).inc()
        self._metrics.rpc.labels(self._network, endpoint).observe(seconds)

    def proved(self, seconds: float) -> None:
        """The answers for one block were read and proven, or refused."""
        self._proofs.observe(seconds)

    def connected(self, blocks: int, transfers: int, seconds: float) -> None:
        """One transaction put so many blocks, with so many transfers, on our chain."""
        self._blocks.inc(blocks)
        self._transfers.inc(transfers)
        self._steps.observe(seconds)

    def disconnected(self, depth: int) -> None:
        """A block left our chain, the `depth`-th in a row."""
        self._reorged.inc()
        if depth == 1:
            self._reorgs.inc()
