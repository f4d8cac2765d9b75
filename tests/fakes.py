"""A chain in memory: mines, forks, lags, fails. The fake stands where the network would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chains.base import (
    TRACE,
    Capability,
    ChainUnavailable,
    EndpointRefused,
    EndpointReport,
    Holding,
    Refusal,
    Transaction,
)
from chains.tvm.doubts import claims_of, repeating
from tests.factories import BLOCK_SECONDS, make_ref
from watcher.domain.blocks import Block, BlockRef, Hash, Transfer
from watcher.domain.money import Address, Asset, Method
from watcher.domain.rates import Round


class FakeChain:
    """Implements `chains.base.ChainClient` in memory, with any number of agreeing endpoints."""

    def __init__(self, endpoints: Sequence[str] = ("own",), *, start: int = 0) -> None:
        self._blocks = [Block(make_ref(0, timestamp=start))]
        self._forks = 0
        self.names = list(endpoints)
        self.lag, self.down = 0, False  # newest blocks it pretends not to have; no answer at all
        self.false_head: BlockRef | None = None
        """What it calls its newest block, though it has no such block."""
        self.stayed: set[str] = set()
        """Endpoints, by name, that still hold every block that a reorg took from the others."""
        self.final: int | None = None
        self.silent: dict[str, set[str]] = {}
        """Positions that an endpoint, by name, does not tell of; the first is asked for blocks."""
        self.false: dict[str, dict[str, Transfer]] = {}
        """What an endpoint, by name, tells in place of what is at a position."""
        self.bugs: list[Exception] = []
        """What asking for a block raises first, one each time."""
        self.unlisted: set[Method] = set()
        """What the client does not look for, or cannot see, until it is taken out here."""
        self.refusals: list[Refusal] = []
        """What looks like a payment and is none, in whichever block has its transaction."""
        self.waiting: set[Hash] = set()
        """Transactions in no block."""
        self.moved_in_secret: list[tuple[int, Address, Method, int]] = []
        """(block number, address, method, units) that no transfer tells of; less than 0: sent."""
        self.keeps_states = True
        """Whether it tells of balances after older blocks, too."""
        self.with_code: set[Address] | None = set()
        """Addresses at which code stands; None: nobody says."""
        self.alone: dict[str, list[Transfer]] = {}
        """What an endpoint, by name, tells of block 1 beside, be it true or not."""
        self.copied = True
        """Whether endpoints give copies; else what they tell is all the same."""
        self.balances_asked: list[int | None] = []
        self.reports: list[EndpointReport] = []
        self.fed: list[Round] = []
        """What price feeds say."""
        self.blocks_asked: list[int] = []
        self.corroborated: list[Hash] = []

    @property
    def tip(self) -> BlockRef:
        """The true newest block."""
        return self._blocks[-1].ref

    def mine(self, *transfers: Transfer, seconds: int = BLOCK_SECONDS) -> Block:
        """Add a block, `seconds` after its parent."""
        parent = self.tip
        ref = make_ref(parent.number + 1, f"fork{self._forks}-", parent.timestamp + seconds)
        ref = replace(ref, parent_hash=parent.hash)
        block = Block(ref, transfers)
        self._blocks.append(block)
        return block

    def reorg(self, depth: int, onto: Sequence[Block] = ()) -> list[Block]:
        """Replace the newest `depth` blocks (never the first) by `onto`; return the old ones."""
        keep = max(1, len(self._blocks) - depth)
        dropped, self._blocks = self._blocks[keep:], [*self._blocks[:keep], *onto]
        self._forks += 1  # what is mined next differs from what was
        return dropped

    def all_blocks(self) -> list[Block]:
        """The whole chain."""
        return list(self._blocks)

    async def genesis(self) -> Hash:
        self._answer()
        return self._blocks[0].ref.hash

    async def head(self) -> BlockRef:
        self._answer()
        return self.false_head or self._visible()[-1].ref

    async def finalized(self) -> BlockRef | None:
        self._answer()
        if self.final is None:
            return None
        if self.final < len(self._blocks):
            return self._blocks[self.final].ref
        return make_ref(self.final, "not yet mined")

    async def block(self, number: int) -> Block | None:
        self._answer()
        self.blocks_asked.append(number)
        if self.bugs:
            raise self.bugs.pop(0)
        visible = self._visible()
        if number >= len(visible):
            return None
        return self._told(self.names[0], self._seen(visible[number]))

    async def copies(self, number: int) -> Mapping[str, Block]:
        self._answer()
        visible = self._visible()
        if number >= len(visible) or not self.copied:
            return {}
        return {name: self._told(name, self._seen(visible[number])) for name in self.names}

    async def transaction(self, hash: Hash) -> Transaction | None:
        self._answer()
        for block in map(self._seen, self._visible()):
            paid = tuple(move for move in block.transfers if move.tx_hash == hash)
            if paid:
                refused = tuple(each for each in self.refusals if each.tx_hash == hash)
                return Transaction(hash, block.ref, (*paid, *refused))
        return Transaction(hash, None) if hash in self.waiting else None

    async def corroborate(self, ref: BlockRef, transfers: Sequence[Transfer]) -> frozenset[str]:
        self._answer()
        self.corroborated.append(ref.hash)
        visible = self._visible()
        if ref.number >= len(visible) or visible[ref.number].ref.hash != ref.hash:
            return frozenset(self.stayed)
        block = visible[ref.number]
        told = {n: claims_of(self._told(n, block).transfers) for n in self.names}
        if any(each.position.startswith(TRACE) for each in transfers):  # EVM networks
            return frozenset(n for n in self.names if claims_of(transfers) <= told[n])
        return repeating(told, transfers)  # the stricter rule, of Tron

    async def balances(
        self,
        addresses: Sequence[Address],
        assets: Sequence[Asset],
        final: BlockRef,
        number: int | None = None,
    ) -> Sequence[Holding]:
        self._answer()
        self.balances_asked.append(number)
        if self._blocks[final.number].ref.hash != final.hash:
            raise ChainUnavailable("on a fork")
        if number is not None and not self.keeps_states:
            raise EndpointRefused(f"no state of block {number}")
        at = final.number if number is None else number
        return [
            Holding(address, asset.method, self._held(address, asset.method, at), at, at)
            for address in addresses
            for asset in assets
        ]

    async def repeat_balances(
        self, holdings: Sequence[Holding], final: BlockRef
    ) -> Sequence[frozenset[str]]:
        self._answer()
        names = frozenset(self.names)
        return [
            names if each.units == self._held(each.address, each.method, each.last) else frozenset()
            for each in holdings
        ]

    async def has_code(self, address: Address, final: BlockRef, number: int) -> bool | None:
        self._answer()
        if self.with_code is None:
            raise EndpointRefused(f"no code at block {number}")
        return address in self.with_code

    async def rounds(self) -> Sequence[Round]:
        self._answer()
        return self.fed

    async def survey(self) -> None:
        """Faults are noted, and not raised."""

    async def capabilities(self) -> Sequence[Capability]:
        return ()

    def endpoints(self) -> Sequence[EndpointReport]:
        return self.reports

    def warnings(self) -> Sequence[str]:
        return ()

    async def close(self) -> None:
        """Nothing is open."""

    def _held(self, address: Address, method: Method, number: int) -> int:
        """What came to an address by blocks up to `number`, and in secret."""
        told = sum(
            transfer.units
            for block in self._blocks[: number + 1]
            for transfer in block.transfers
            if (transfer.to, transfer.method) == (address, method)
        )
        return told + sum(
            units
            for block_number, to, of, units in self.moved_in_secret
            if block_number <= number and (to, of) == (address, method)
        )

    def _answer(self) -> None:
        if self.down:
            raise ChainUnavailable("down")

    def _seen(self, block: Block) -> Block:
        seen = tuple(move for move in block.transfers if move.method not in self.unlisted)
        return replace(block, transfers=seen)

    def _told(self, name: str, block: Block) -> Block:
        silent, false = self.silent.get(name, set()), self.false.get(name, {})
        alone = self.alone.get(name, []) if block.ref.number == 1 else []
        told = (move for move in [*block.transfers, *alone] if move.position not in silent)
        return replace(block, transfers=tuple(false.get(move.position, move) for move in told))

    def _visible(self) -> list[Block]:
        return self._blocks[: max(1, len(self._blocks) - self.lag)]
