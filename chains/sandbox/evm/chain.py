"""The chain: mines what was sent to it, and forks. Pure: no clock, no file, no network."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Reversible
from dataclasses import dataclass, field
from itertools import islice

from chains.sandbox.evm.execution import FUNDS, Executed, execute, execute_messages
from chains.sandbox.evm.flavour import Flavour
from chains.sandbox.evm.orders import Json, Order, Signed, payer, sign
from chains.sandbox.evm.polygon import Message, state_sync
from chains.sandbox.evm.sealing import NO_PARENT, seal
from chains.sandbox.evm.state import State, nonce
from watcher.domain.money import Address

KEPT_BLOCKS = 2_000
MOST = FUNDS // 2**10
"""What one transaction may move, so that no payer runs dry by accident."""


@dataclass(frozen=True, slots=True)
class Mined:
    """A block, all that a node tells of it, and what it takes to undo and repeat it."""

    block: Json
    """With transactions in full."""
    receipts: list[Json] = field(default_factory=list)
    traces: list[Json] = field(default_factory=list)
    sent: tuple[Signed, ...] = ()
    messages: tuple[Message, ...] = ()
    before: Mapping[str, int] = field(default_factory=dict)
    """What its changes of the state replaced."""

    @property
    def number(self) -> int:
        return int(self.block["number"], 16)

    @property
    def hash(self) -> str:
        """With 0x."""
        return str(self.block["hash"])

    @property
    def timestamp(self) -> int:
        return int(self.block["timestamp"], 16)


@dataclass(slots=True)
class Counters:
    """What no fork takes back, so that nothing that is made later equals what was dropped."""

    payers: int = 1_000
    """The next payer that nobody named; the numbers below are for who names one."""
    messages: int = 0
    forks: int = 0


class EvmChain:
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
        self._kept_blocks = kept_blocks
        self._blocks: dict[int, Mined] = {}
        self._numbers: dict[str, int] = {}
        self._waiting: list[Signed] = []
        self._messages: list[Message] = []
        for mined in blocks:
            self._push(mined)

    @classmethod
    def begin(cls, flavour: Flavour, timestamp: int, kept_blocks: int = KEPT_BLOCKS) -> EvmChain:
        """A chain of block 0 only; another second makes another chain."""
        block, _ = seal(flavour, NO_PARENT, timestamp, (), "deposit-watcher sandbox")
        return cls(flavour, [Mined(block)], State({}), Counters(), kept_blocks=kept_blocks)

    # What it holds.

    @property
    def head(self) -> Mined:
        return next(reversed(self._blocks.values()))

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
        """The block by its hash, with 0x, while it is in the chain."""
        number = self._numbers.get(block_hash)
        return None if number is None else self._blocks[number]

    def find(self, tx_hash: str) -> tuple[Mined, int] | None:
        """Where a transaction stands: its block, and its place in that."""
        for mined in reversed(self._blocks.values()):
            for index, tx in enumerate(mined.block["transactions"]):
                if tx["hash"] == tx_hash:
                    return mined, index
        return None

    def state_after(self, number: int) -> State:
        """A copy of the state as it was after that block."""
        state = self.state.copy()
        for above in self._down_to(number + 1):
            state.restore(above.before)
        return state

    # What makes it grow.

    def send(self, order: Order, number: int | None = None) -> str:
        """Sign a transaction for the next block; its hash, with 0x.

        Args:
            number: the payer's; None: one that never paid before, so that dropping one
                transaction in a fork leaves the others good.

        Raises:
            ValueError: more than one transaction may move.
        """
        if number is None:
            number, self.counters.payers = self.counters.payers, self.counters.payers + 1
        sender = payer(number)
        _require_movable(order.value)
        waiting = sum(tx.sender == sender.address for tx in self._waiting)
        count = self.state[nonce(sender.address)] + waiting
        tx = sign(order, sender, count, self.flavour.chain_id, self.flavour.fees)
        self._waiting.append(tx)
        return tx.hash

    def resend(self, tx: Signed) -> None:
        """Offer a transaction of a dropped block again, as it was signed."""
        self._waiting.append(tx)

    def bridge(
        self, to: Address, units: int, contract: Address | None = None, *, succeeds: bool = True
    ) -> None:
        """Let money come over the bridge in the next block.

        Raises:
            ValueError: this network has no bridge, or more of the coin than may move at once.
        """
        if not self.flavour.bridged:
            raise ValueError(f"nothing comes to {self.flavour.name} over a bridge")
        if contract is None:
            _require_movable(units)
        self.counters.messages += 1
        self._messages.append(Message(self.counters.messages, to, units, contract, succeeds))

    def mine(self, timestamp: int) -> Mined:
        """Put a block on top with what waits, in the order in which it was sent."""
        if timestamp < self.head.timestamp:
            raise ValueError("a block is never older than the one below it")
        executed, sent = list[Executed](), list[Signed]()
        waiting, self._waiting = self._waiting, []
        for tx in waiting:
            gap = int(tx.fields["nonce"], 16) - self.state[nonce(tx.sender)]
            if gap == 0:
                executed.append(execute(self.flavour, self.state, tx))
                sent.append(tx)
            elif gap > 0:  # an earlier one of the same payer was dropped in a fork
                self._waiting.append(tx)
        messages, self._messages = tuple(self._messages), []
        if messages:
            executed.append(execute_messages(self.state, messages))
        words = f"sandbox, fork {self.counters.forks}"
        block, receipts = seal(self.flavour, self.head.block, timestamp, executed, words)
        traces = [{"txHash": each.fields["hash"], "result": each.trace} for each in executed]
        mined = Mined(block, receipts, traces, tuple(sent), messages, self.state.close())
        self._push(mined)
        return mined

    def fork(
        self, depth: int, *, blocks: int | None = None, keep: Collection[str] = ()
    ) -> list[Mined]:
        """Replace the newest blocks by a branch of its own; return them, oldest first.

        Args:
            blocks: how long the branch is, None: as long as what it replaces; each block has the
                time of the one it replaces.
            keep: hashes, with 0x, of the dropped transactions that the first of them has again.

        Raises:
            ValueError: deeper than what is kept, or an impossible `keep`; nothing was done.
        """
        most = self.head.number - (self.oldest if self.oldest > 1 else 0)
        if not 1 <= depth <= most:  # the block that it grows from must be there
            raise ValueError(f"a fork replaces from 1 to {most} blocks")
        dropped = list(reversed(list(islice(self._down_to(1), depth))))
        sent, messages = _kept(dropped, keep)
        for mined in reversed(dropped):
            self.state.restore(mined.before)
            del self._blocks[mined.number], self._numbers[mined.hash]
        self._waiting[:0], self._messages[:0] = sent, messages
        self.counters.forks += 1
        times = [mined.timestamp for mined in dropped]
        for index in range(depth if blocks is None else blocks):
            self.mine(times[min(index, depth - 1)])
        return dropped

    def _push(self, mined: Mined) -> None:
        self._blocks[mined.number] = mined
        self._numbers[mined.hash] = mined.number
        if len(self._blocks) > self._kept_blocks + 1:
            _, oldest, *_ = islice(self._blocks.values(), 2)  # block 0 tells chains apart: it stays
            del self._blocks[oldest.number], self._numbers[oldest.hash]

    def _down_to(self, number: int) -> Iterator[Mined]:
        """From the newest block to that number, as far as blocks are kept; never block 0."""
        for mined in reversed(self._blocks.values()):
            if mined.number < max(number, 1):
                return
            yield mined


def _require_movable(units: int) -> None:
    if units > MOST:
        raise ValueError(f"a transaction moves at most {MOST} units of the coin")


def _kept(dropped: Iterable[Mined], keep: Collection[str]) -> tuple[list[Signed], list[Message]]:
    """What of the dropped blocks is to be mined again."""
    sent, messages, unknown = list[Signed](), list[Message](), set(keep)
    lost: set[str] = set()  # payers that miss a transaction, so that their later ones cannot stay
    for mined in dropped:
        for tx in mined.sent:
            if tx.hash not in keep:
                lost.add(tx.sender)
                continue
            if tx.sender in lost:
                raise ValueError(f"{tx.hash} cannot stay: an earlier one of its payer does not")
            unknown.discard(tx.hash)
            sent.append(tx)
        if mined.messages and (sync := state_sync(mined.messages)[0]["hash"]) in keep:
            unknown.discard(sync)
            messages += mined.messages
    if unknown:
        raise ValueError(f"not in the blocks that are replaced: {', '.join(sorted(unknown))}")
    return sent, messages
