"""What may happen on the networks, drawn by a seed: payments, reorgs, branches, faults, leaps."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from chains.sandbox.control import Pay, Reorg
from tests.faults import random_fault
from tests.soak.nets import COIN, Net
from watcher.domain.invoices import Invoice
from watcher.domain.money import Asset

DEEPEST = 12  # blocks that a reorg replaces: finality is out of its reach
STRANGERS = {"evm": "0x" + "5a" * 20, "tron": "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8"}

PAYS_COIN = ("internal", "twice", "forced")
PAYS_TOKEN = ("internal", "twice", "pulled", "skimmed", "bounced")
NEVER_COIN = ("failed", "reverted", "lent")
NEVER_TOKEN = (
    "failed",
    "reverted",
    "denied",
    "indexed",
    "malformed",
    "dirty",
    "poison",
    "approval",
)
NEVER_ANY = ("fake", "forged", "nft")
STARVABLE = ("internal", "pulled")
OWN = {"polygon": ("bridge", "stranded"), "tron": ("starved", "overtime"), "ethereum": ()}


class Chance:
    """Draws what happens next; the same for the same seed and the same invoices."""

    def __init__(self, seed: int, nets: Sequence[Net]) -> None:
        self.rng, self.nets = random.Random(seed), nets
        self._weather = random.Random(seed)  # apart: it is drawn as time passes
        self.happened: Counter[str] = Counter()
        self.payable: list[Invoice] = []
        self._starved: set[str] = set()

    @property
    def starved(self) -> frozenset[str]:
        """Transactions that failed where a reorg mined them again: they pay in no other block."""
        return frozenset(self._starved)

    def tick(self) -> None:
        """Let a moment pass on every network."""
        for net in self.nets:
            if self.rng.random() < 0.2:  # of what the daemon has seen, if it could
                self._reorg(net)
            for _ in range(self.rng.choice((0, 1, 1, 2, 3))):
                self._pay(net)
            if self.rng.random() < 0.03:
                net.node.advance(self.rng.randint(5, 40))
                self.happened["leaps of chain time"] += 1
            net.node.mine(self.rng.choice((1, 1, 1, 1, 4)))
            if self.rng.random() < 0.1:
                self._branch(net)

    def _pay(self, net: Net) -> None:
        order = self._order(net)
        tx_hash = net.node.take("sandbox_pay", _as_json(order))
        self.happened["payments"] += 1
        self.happened[f"way {order.way}"] += 1
        if isinstance(tx_hash, str):  # what comes over a bridge has none before its block
            net.ordered[tx_hash] = order

    def _order(self, net: Net) -> Pay:
        family = "tron" if net.name == "tron" else "evm"
        known = [invoice for invoice in self.payable if family in invoice.addresses]
        invoice = self.rng.choice(known) if known and self.rng.random() < 0.95 else None
        offered = [each for each in net.assets if invoice and invoice.quote(each.method)]
        right = offered and self.rng.random() < 0.7
        asset = self.rng.choice(offered if right else net.assets)
        way = "plain" if asset == COIN else self._way(net, asset)
        to = invoice.addresses[family] if invoice else STRANGERS[family]
        quote = invoice.quote(asset.method) if invoice else None
        due = quote.units if quote else 10**asset.decimals
        units = max(1, self.rng.choice((1, due // 3, due // 2, due, due, due, 2 * due)))
        return Pay(to, str(units), asset.contract, way)

    def _way(self, net: Net, asset: Asset) -> str:
        coin = asset.contract is None
        pays, never = (PAYS_COIN, NEVER_COIN) if coin else (PAYS_TOKEN, NEVER_TOKEN)
        if self.rng.random() < 0.4:
            return "plain"
        return self.rng.choice((*pays, *pays, *never, *NEVER_ANY, *OWN[net.name]))

    def _reorg(self, net: Net) -> None:
        """Another branch becomes the chain, shorter or longer, with some of what was dropped."""
        chain = net.node.chain
        depth = min(self.rng.choice((1, 1, 2, 2, 3, 5, 8, DEEPEST)), chain.head.number - 1)
        if depth < 1:
            return
        newest = [chain.block(chain.head.number - below) for below in range(depth)]
        hashes = [tx for mined in reversed(newest) for tx in mined.tx_hashes]
        keep = [each for each in hashes if self.rng.random() < 0.5]
        runs = [tx for tx in keep if tx in net.ordered and net.ordered[tx].way in STARVABLE]
        starved = [each for each in runs if self.rng.random() < 0.3]
        length = max(0, depth + self.rng.choice((-1, 0, 1, 1, 2)))
        net.node.reorg(Reorg(depth, length, tuple(keep), tuple(starved)))
        self._starved |= set(starved)
        self.happened["reorgs"] += 1

    def _branch(self, net: Net) -> None:
        """What a node on another branch shows from now on, with a payment that is not so."""
        twin = net.branch.twin()
        depth = min(self.rng.randint(1, 6), twin.chain.head.number - 1)
        if depth < 1:
            return
        twin.take("sandbox_pay", _as_json(self._order(net)))
        twin.reorg(Reorg(depth, depth + self.rng.randint(0, 4)))
        net.branch.show(twin)
        self.happened["branches"] += 1

    def change_faults(self) -> None:
        """Let some endpoints fail in another way than before, or no more."""
        rng = self._weather
        for gateway in (gateway for net in self.nets for gateway in net.gateways):
            if rng.random() < 0.3:
                count = rng.choice((0, 0, 0, 0, 1, 2))
                gateway.faults = tuple(random_fault(rng) for _ in range(count))

    def calm(self) -> None:
        """No fault any more, and so many blocks that all there is becomes final."""
        for net in self.nets:
            for gateway in net.gateways:
                gateway.faults = ()
            net.node.mine(3 * DEEPEST)


def _as_json(order: Pay) -> dict[str, object]:
    return {"to": order.to, "units": order.units, "contract": order.contract, "way": order.way}
