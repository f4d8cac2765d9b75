"""The chain of a network of Tron's kind: what waits for it, and what becomes of it in a block."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chains.sandbox.chain import KEPT_BLOCKS, Chain, Counters, Json
from chains.sandbox.state import State
from chains.sandbox.tron.accounts import Account, payer
from chains.sandbox.tron.execution import FUNDS, Executed, affordable, execute
from chains.sandbox.tron.flavour import Flavour
from chains.sandbox.tron.orders import Order, Place, Signed, sign
from chains.sandbox.tron.sealing import genesis, infos_of, seal
from watcher.domain.money import Address

MOST = FUNDS // 2**10
"""What one transaction may move, so that no payer runs dry by accident."""
REFERENCE_DEPTH = 20
"""How far below the head the block is that a transaction refers to: no usual fork replaces it."""


@dataclass(frozen=True, slots=True)
class Mined:
    """A block, all that a node tells of it, and what it takes to undo and repeat it."""

    block: Json
    infos: list[Json] = field(default_factory=list)
    sent: tuple[Signed, ...] = ()
    before: Mapping[str, int] = field(default_factory=dict)
    """What its changes of the state replaced."""

    @property
    def number(self) -> int:
        return int(self.block["block_header"]["raw_data"].get("number", 0))

    @property
    def hash(self) -> str:
        return str(self.block["blockID"])

    @property
    def tx_hashes(self) -> list[str]:
        return [tx["txID"] for tx in self.block.get("transactions", ())]

    @property
    def timestamp(self) -> int:
        """Epoch seconds; 0 of block 0."""
        return int(self.block["block_header"]["raw_data"].get("timestamp", 0)) // 1000


class TronChain(Chain[Flavour, Mined]):
    """The chain of a network of Tron's kind."""

    def __init__(
        self,
        flavour: Flavour,
        blocks: Iterable[Mined],
        state: State,
        counters: Counters,
        *,
        kept_blocks: int = KEPT_BLOCKS,
    ) -> None:
        super().__init__(flavour, blocks, state, counters, kept_blocks=kept_blocks)
        self.dropped: dict[str, Json] = {}
        """Transactions that the newest fork left out, by id: nodes remember them for a while."""
        self._waiting: list[Signed] = []

    @staticmethod
    def first(flavour: Flavour, timestamp: int) -> Mined:
        return Mined(genesis(f"{flavour.name} {timestamp}"))

    @staticmethod
    def revive(fields: Json) -> Mined:
        fields["sent"] = tuple(Signed(**tx) for tx in fields["sent"])
        return Mined(**fields)

    @property
    def chain_id(self) -> int:
        """The last four bytes of block 0's id."""
        return int(self._blocks[0].hash[-8:], 16)

    def place(self) -> Place:
        """Where a transaction that is made now refers to."""
        below = self.block(self.head.number - REFERENCE_DEPTH) or self._blocks[0]
        return Place(below.hash, self.head.timestamp * 1000 + self.counters.made)

    def send(self, order: Order, number: int | None = None) -> str:
        """Sign a transaction for the next block; its id.

        Args:
            number: the payer's; None: one that never paid before.

        Raises:
            ValueError: a node would not take it.
        """
        if order.units > MOST:
            raise ValueError(f"a transaction moves at most {MOST} units")
        return self._wait(self._sign(order, payer(self._payer(number))))

    def spend(self, order: Order, sender: Address) -> str:
        """Send a transaction of whoever has that address, in whose place another signs.

        Raises:
            ValueError: it has too little, or a node would not take it.
        """
        tx = replace(self._sign(order, Account(payer(0).key, sender)), spends=True)
        if not affordable(self.state, tx):
            raise ValueError("Validate TransferContract error, balance is not sufficient.")
        return self._wait(tx)

    def _sign(self, order: Order, sender: Account) -> Signed:
        if order.data is None and order.units < 1:
            raise ValueError("Amount must be greater than 0.")
        if order.to == sender.address:
            raise ValueError("Cannot transfer TRX to yourself.")
        return sign(order, sender, self.place())

    def _wait(self, tx: Signed) -> str:
        self.counters.made += 1
        self._waiting.append(tx)
        return tx.id

    def resend(self, tx: Signed) -> None:
        """Offer a transaction of a dropped block again, as it was signed."""
        self._waiting.append(tx)

    def _make(self, timestamp: int) -> Mined:
        executed, sent = list[Executed](), list[Signed]()
        for tx in self._waiting:
            if affordable(self.state, tx):  # else nodes drop it
                executed.append(execute(self.flavour, self.state, tx))
                sent.append(tx)
        self._waiting = []
        # Each branch has other witnesses and other milliseconds, so that no id comes again.
        forks = self.counters.forks
        turn, milliseconds = self.head.number + 1 + forks, timestamp * 1000 + forks % 1000
        block = seal(self.head.block, milliseconds, turn, executed)
        return Mined(block, infos_of(block, executed), tuple(sent), self.state.close())

    def _repeat(
        self, dropped: Sequence[Mined], keep: Collection[str], starved: Collection[str]
    ) -> None:
        self._waiting[:0] = _kept(dropped, keep, starved)
        lost = (tx for mined in dropped for tx in mined.block.get("transactions", ()))
        self.dropped = {tx["txID"]: tx for tx in lost if tx["txID"] not in keep}


def _kept(
    dropped: Iterable[Mined], keep: Collection[str], starved: Collection[str]
) -> list[Signed]:
    """What of the dropped blocks is to be mined again."""
    kept = [tx for mined in dropped for tx in mined.sent if tx.id in keep]
    unknown = (set(keep) | set(starved)) - {tx.id for tx in kept}
    if unknown:
        raise ValueError(f"not mined again, or never there: {', '.join(sorted(unknown))}")
    fed = [tx.id for tx in kept if tx.id in starved and not tx.runs_code]
    if fed:
        raise ValueError(f"no code runs, so none runs out of energy: {', '.join(fed)}")
    return [replace(tx, ending="OUT_OF_ENERGY") if tx.id in starved else tx for tx in kept]
