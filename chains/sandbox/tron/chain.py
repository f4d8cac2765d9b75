"""The chain: mines what was sent to it, and forks. Pure: no clock, no file, no network."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Reversible
from dataclasses import dataclass, field, replace
from itertools import islice

from chains.sandbox.evm.state import State
from chains.sandbox.tron.accounts import payer
from chains.sandbox.tron.execution import FUNDS, execute
from chains.sandbox.tron.flavour import Flavour
from chains.sandbox.tron.orders import Json, Order, Place, Signed, sign
from chains.sandbox.tron.sealing import genesis, infos_of, seal

KEPT_BLOCKS = 2_000
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
    def timestamp(self) -> int:
        """Epoch seconds; 0 of block 0."""
        return int(self.block["block_header"]["raw_data"].get("timestamp", 0)) // 1000


@dataclass(slots=True)
class Counters:
    """What no fork takes back, so that nothing that is made later equals what was dropped."""

    payers: int = 1_000
    """The next payer that nobody named; the numbers below are for who names one."""
    sent: int = 0
    forks: int = 0


class TronChain:
    """Block 0 and the newest blocks, and what waits for the next.

    Args:
        blocks: at least block 0, oldest first, as `blocks` gave them.
        state: as it is after the newest of them.
    """

    def __init__(
        self,
        flavour: Flavour,
        blocks: Iterable[Mined],
        state: State,
        counters: Counters,
        *,
        kept_blocks: int = KEPT_BLOCKS,
    ) -> None:
        self.flavour, self.state, self.counters = flavour, state, counters
        self.dropped: dict[str, Json] = {}
        """Transactions that the newest fork left out, by id: nodes remember them for a while."""
        self._kept_blocks = kept_blocks
        self._blocks: dict[int, Mined] = {}
        self._waiting: list[Signed] = []
        for mined in blocks:
            self._push(mined)

    @classmethod
    def begin(cls, flavour: Flavour, timestamp: int, kept_blocks: int = KEPT_BLOCKS) -> TronChain:
        """A chain of block 0 only; another second makes another chain."""
        first = Mined(genesis(f"{flavour.name} {timestamp}"))
        return cls(flavour, [first], State({}), Counters(), kept_blocks=kept_blocks)

    # What it holds.

    @property
    def head(self) -> Mined:
        return next(reversed(self._blocks.values()))

    @property
    def chain_id(self) -> int:
        """The last four bytes of block 0's id."""
        return int(self._blocks[0].hash[-8:], 16)

    @property
    def blocks(self) -> Reversible[Mined]:
        """Block 0 and the newest, oldest first."""
        return self._blocks.values()

    @property
    def oldest(self) -> int:
        """The lowest block that is kept, but for block 0."""
        return next(islice(self._blocks, 1, None), 0)

    def block(self, number: int) -> Mined | None:
        return self._blocks.get(number)

    def block_of(self, block_hash: str) -> Mined | None:
        """The block by its id, which begins with its number, while it is in the chain."""
        mined = self._blocks.get(int(block_hash[:16], 16))
        return mined if mined is not None and mined.hash == block_hash else None

    def find(self, tx_id: str) -> tuple[Mined, int] | None:
        """Where a transaction stands: its block, and its place in that."""
        for mined in reversed(self._blocks.values()):
            for index, tx in enumerate(mined.block.get("transactions", ())):
                if tx["txID"] == tx_id:
                    return mined, index
        return None

    def state_after(self, number: int) -> State:
        """A copy of the state as it was after that block."""
        state = self.state.copy()
        for above in self._down_to(number + 1):
            state.restore(above.before)
        return state

    def place(self) -> Place:
        """Where a transaction that is made now refers to."""
        below = self.block(self.head.number - REFERENCE_DEPTH) or self._blocks[0]
        return Place(below.hash, self.head.timestamp * 1000 + self.counters.sent)

    # What makes it grow.

    def send(self, order: Order, number: int | None = None) -> str:
        """Sign a transaction for the next block; its id.

        Args:
            number: the payer's; None: one that never paid before.

        Raises:
            ValueError: a node would not take it.
        """
        if number is None:
            number, self.counters.payers = self.counters.payers, self.counters.payers + 1
        if order.data is None and order.units < 1:
            raise ValueError("Amount must be greater than 0.")
        if order.units > MOST:
            raise ValueError(f"a transaction moves at most {MOST} units")
        sender = payer(number)
        if order.to == sender.address:
            raise ValueError("Cannot transfer TRX to yourself.")
        tx = sign(order, sender, self.place())
        self.counters.sent += 1
        self._waiting.append(tx)
        return tx.id

    def resend(self, tx: Signed) -> None:
        """Offer a transaction of a dropped block again, as it was signed."""
        self._waiting.append(tx)

    def mine(self, timestamp: int) -> Mined:
        """Put a block on top with what waits, in the order in which it was sent."""
        if timestamp < self.head.timestamp:
            raise ValueError("a block is never older than the one below it")
        sent, self._waiting = tuple(self._waiting), []
        executed = [execute(self.flavour, self.state, tx) for tx in sent]
        # Each branch has other witnesses and other milliseconds, so that no id comes again.
        forks = self.counters.forks
        turn, milliseconds = self.head.number + 1 + forks, timestamp * 1000 + forks % 1000
        block = seal(self.head.block, milliseconds, turn, executed)
        mined = Mined(block, infos_of(block, executed), sent, self.state.close())
        self._push(mined)
        return mined

    def fork(
        self,
        depth: int,
        *,
        blocks: int | None = None,
        keep: Collection[str] = (),
        starved: Collection[str] = (),
    ) -> list[Mined]:
        """Replace the newest blocks by a branch of its own; return them, oldest first.

        Args:
            blocks: how long the branch is, None: as long as what it replaces; each block has the
                time of the one it replaces.
            keep: ids of the dropped transactions that the first of them has again.
            starved: those of `keep` whose code this time runs out of energy.

        Raises:
            ValueError: deeper than what is kept, or an impossible `keep`; nothing was done.
        """
        most = self.head.number - (self.oldest if self.oldest > 1 else 0)
        if not 1 <= depth <= most:  # the block that it grows from must be there
            raise ValueError(f"a fork replaces from 1 to {most} blocks")
        dropped = list(reversed(list(islice(self._down_to(1), depth))))
        kept = _kept(dropped, keep, starved)
        for mined in reversed(dropped):
            self.state.restore(mined.before)
            del self._blocks[mined.number]
        lost = (tx for mined in dropped for tx in mined.block.get("transactions", ()))
        self.dropped = {tx["txID"]: tx for tx in lost if tx["txID"] not in keep}
        self._waiting[:0] = kept
        self.counters.forks += 1
        times = [mined.timestamp for mined in dropped]
        for index in range(depth if blocks is None else blocks):
            self.mine(times[min(index, depth - 1)])
        return dropped

    def _push(self, mined: Mined) -> None:
        self._blocks[mined.number] = mined
        if len(self._blocks) > self._kept_blocks + 1:
            _, oldest, *_ = islice(self._blocks, 2)  # block 0 tells chains apart: it stays
            del self._blocks[oldest]

    def _down_to(self, number: int) -> Iterator[Mined]:
        """From the newest block to that number, as far as blocks are kept; never block 0."""
        for mined in reversed(self._blocks.values()):
            if mined.number < max(number, 1):
                return
            yield mined


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
