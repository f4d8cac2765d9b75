"""The chain of an EVM network: what waits for it, and what becomes of it in a block."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chains.sandbox.chain import KEPT_BLOCKS, Chain, Counters, Json
from chains.sandbox.evm.execution import FUNDS, Executed, execute, execute_messages
from chains.sandbox.evm.flavour import Flavour
from chains.sandbox.evm.orders import Order, Payer, Signed, payer, sign
from chains.sandbox.evm.polygon import Message, state_sync
from chains.sandbox.evm.sealing import NO_PARENT, seal
from chains.sandbox.state import State, coin, nonce
from watcher.domain.money import Address

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
    def tx_hashes(self) -> list[str]:
        return [tx["hash"] for tx in self.block["transactions"]]

    @property
    def timestamp(self) -> int:
        return int(self.block["timestamp"], 16)


class EvmChain(Chain[Flavour, Mined]):
    """The chain of an EVM network."""

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
        self._waiting: list[Signed] = []
        self._messages: list[Message] = []

    @staticmethod
    def first(flavour: Flavour, timestamp: int) -> Mined:
        return Mined(seal(flavour, NO_PARENT, timestamp, (), "deposit-watcher sandbox")[0])

    @staticmethod
    def revive(fields: Json) -> Mined:
        fields["sent"] = tuple(Signed(**tx) for tx in fields["sent"])
        fields["messages"] = tuple(Message(**message) for message in fields["messages"])
        return Mined(**fields)

    def send(self, order: Order, number: int | None = None) -> str:
        """Sign a transaction for the next block; its hash, with 0x.

        Args:
            number: the payer's; None: one that never paid before, so that dropping one
                transaction in a fork leaves the others good.

        Raises:
            ValueError: more than one transaction may move.
        """
        _require_movable(order.value)
        return self._wait(self._sign(order, payer(self._payer(number))))

    def spend(self, order: Order, sender: Address) -> str:
        """Send a transaction of whoever has that address, in whose place another signs.

        Raises:
            ValueError: it has too little.
        """
        tx = replace(self._sign(order, Payer(payer(0).key, sender)), spends=True)
        if tx.most > (held := self.state[coin(sender)]):
            raise ValueError(f"insufficient funds for gas * price + value: {held} of {tx.most}")
        return self._wait(tx)

    def _sign(self, order: Order, sender: Payer) -> Signed:
        waiting = sum(tx.sender == sender.address for tx in self._waiting)
        count = self.state[nonce(sender.address)] + waiting
        return sign(order, sender, count, self.flavour.chain_id, self.flavour.fees)

    def _wait(self, tx: Signed) -> str:
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
        self.counters.made += 1
        self._messages.append(Message(self.counters.made, to, units, contract, succeeds))

    def _make(self, timestamp: int) -> Mined:
        executed, sent = list[Executed](), list[Signed]()
        waiting, self._waiting = self._waiting, []
        for tx in waiting:
            gap = int(tx.fields["nonce"], 16) - self.state[nonce(tx.sender)]
            if tx.spends and tx.most > self.state[coin(tx.sender)]:
                continue  # spent otherwise meanwhile, or what it had left the chain: nodes drop it
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
        return Mined(block, receipts, traces, tuple(sent), messages, self.state.close())

    def _repeat(
        self, dropped: Sequence[Mined], keep: Collection[str], starved: Collection[str]
    ) -> None:
        sent, messages = _kept(dropped, keep)
        if unknown := set(starved) - {tx.hash for tx in sent}:
            raise ValueError(f"not mined again: {', '.join(sorted(unknown))}")
        self._waiting[:0] = [replace(tx, refused=True) if tx.hash in starved else tx for tx in sent]
        self._messages[:0] = messages


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
