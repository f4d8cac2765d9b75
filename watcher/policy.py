"""What configuration decides about networks and money, resolved against the networks' facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chains.base import TRACE, NetworkSpec
from watcher.domain.deposits import DepositRules
from watcher.domain.money import Asset, Family, Method, Network
from watcher.rates.book import RateBook

STALLED_PACES = 10
STALLED_SECONDS = 60


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """One enabled network."""

    spec: NetworkSpec
    chain_id: int
    assets: Mapping[Method, Asset]
    """Every listed asset: what is watched, offered or not."""
    rules: DepositRules
    reorg_limit: int
    agreement: int
    """Endpoints that must give a block's hash before a deposit in it is confirmed."""
    endpoints: int
    """How many are configured."""
    repeat_transfers: bool
    """Whether these endpoints must repeat a deposit's transfers, too."""
    poll_seconds: int
    start_block: int | None
    """Where the first start begins; None: some blocks below the head."""
    finality_depth: int | None = None
    """What is final never comes closer to our tip than so many blocks; None: no such rule."""

    @property
    def stalled_after(self) -> int:
        """Seconds without a new block after which the network lags for everyone to see."""
        return max(STALLED_SECONDS, STALLED_PACES * self.spec.pace_seconds)

    def must_repeat(self, position: str) -> bool:
        """Whether endpoints must repeat what stands there, as no block's hash commits to it."""
        return self.repeat_transfers or position.startswith(TRACE)


@dataclass(frozen=True, slots=True)
class WebhookPolicy:
    """Where webhooks may go, and how long an answer may take."""

    allow_private: bool = False
    """Private addresses and plain HTTP."""
    timeout_seconds: int = 10


@dataclass(frozen=True, slots=True)
class Policy:
    """What the ledger, the APIs and the pages must know of the configuration."""

    networks: Mapping[Network, NetworkPolicy]
    livemode: bool
    valid_for: int
    """Seconds that an invoice stays open unless it says otherwise."""
    tolerance_percent: str
    rates: RateBook
    """What things are worth: fixed by configuration, or as sources told last."""
    accepts_late: bool = False
    """Whether late money counts without anyone's decision."""
    payer_may_cancel: bool = True
    webhooks: WebhookPolicy = WebhookPolicy()
    keep_seconds: int | None = None
    """After so long events are forgotten; None: never."""
    public_url: str = "http://127.0.0.1:8080"
    """Where payers reach our pages, without a slash at its end."""

    @property
    def families(self) -> dict[Network, Family]:
        return {name: network.spec.family for name, network in self.networks.items()}

    def listed(self, method: Method) -> Asset | None:
        """The asset that `method` names, if it is watched: what may be offered and paid."""
        network = self._network(method)
        return network.assets.get(method) if network else None

    def asset(self, method: Method) -> Asset | None:
        """The same, also where it was taken off the list: old deposits keep their decimals."""
        network = self._network(method)
        own = network.spec.assets if network else ()
        return self.listed(method) or next((a for a in own if a.method == method), None)

    def least(self, method: Method) -> int:
        """The asset's minimum in units: a smaller deposit does not count; 0 where there is none."""
        network = self._network(method)
        return network.rules.minimum.get(method, 0) if network else 0

    def _network(self, method: Method) -> NetworkPolicy | None:
        return self.networks.get(Network(method.partition(":")[0]))
