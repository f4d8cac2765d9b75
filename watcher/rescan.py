"""Reads blocks of our chain again, in order, and adds the deposits that are missing.

Where a block's hash does not commit to its transfers, as many endpoints are asked for it as must
repeat them, and what any of them shows is added, unless enough of them deny it: it waits for the
others like any other deposit. What was stored on one's word, and nobody repeated, gives way to what
enough of them show instead. `recount` has the rules.

Runs beside the follower, in any process. What it does is idempotent, and each block's share of it
one transaction, so it may end or be killed anywhere and be started again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import storage
from chains.base import ChainClient, ChainUnavailable
from storage import Conn, Engine
from watcher import clock
from watcher.domain.blocks import Block, BlockRef, Hash
from watcher.domain.copies import Claim, Reading, claim_of, read_together, transfer_of
from watcher.domain.deposits import Deposit
from watcher.domain.money import Network
from watcher.fetching import FetchAhead
from watcher.policy import Policy
from watcher.recount import Mended, add_missing, differences
from watcher.refused import BadField, NotOurs

PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before each new try of a block that cannot be had, or is being reorganised."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which blocks to read again, both ends included."""

    network: Network
    first: int
    last: int

    @property
    def blocks(self) -> int:
        return self.last - self.first + 1


async def plan(engine: Engine, policy: Policy, network: str, first: int, last: int | None) -> Span:
    """The blocks from `first` to `last`, or to our newest one.

    Raises:
        BadField: names what is wrong with `network`, `from` or `to`.
    """
    name = Network(network)
    if name not in policy.networks:
        known = ", ".join(policy.networks)
        raise BadField(f"is none of the enabled ones: {known}", field="network")
    async with storage.read(engine) as conn:
        cursor = await storage.cursors.get(conn, name)
        lowest = await storage.blocks.lowest(conn, name)
    if cursor is None or cursor.tip is None or lowest is None:
        raise BadField(f"{name} has no block yet that could be read again", field="network")
    if last is not None and last > cursor.tip.number:
        raise BadField(f"our newest block is {cursor.tip.number}", field="to")
    if first < 0 or first > (cursor.tip.number if last is None else last):
        raise BadField("must lie between 0 and the last block", field="from")
    final = -1 if cursor.finalized is None else cursor.finalized
    if final + 1 < lowest and first < lowest and (last is None or last > final):
        raise BadField(
            f"blocks {final + 1} to {lowest - 1} are no longer kept and not known to be final yet",
            field="from" if final < first else "to",
        )
    return Span(name, first, cursor.tip.number if last is None else last)


async def begin_before(conn: Conn, network: Network, moment: int) -> int:
    """A block that is surely not younger than `moment`, to read again from; 0 where none is known.

    Reckoned from our newest block by the shortest time between two that we keep.
    """
    tip = await storage.blocks.tip(conn, network)
    if tip is None:
        return 0
    times = await storage.blocks.times(conn, network)
    fastest = max(1, min((after - before for before, after in pairwise(times)), default=1))
    return max(0, tip.number - max(0, tip.timestamp - moment) // fastest - 1)


class Rescan:
    """One pass over a span, and how far it is."""

    def __init__(self, engine: Engine, policy: Policy, client: ChainClient, span: Span) -> None:
        self.span, self.done = span, 0
        self.added: list[Deposit] = []
        self.orphaned: list[Deposit] = []
        """What waited for agreement, and enough endpoints do not show."""
        self.seconds = 0.0
        """How long it ran."""
        self.error: str | None = None
        """What stopped it, in words, where nobody waits for it."""
        self._engine, self._policy, self._client = engine, policy, client
        self._network = policy.networks[span.network]
        self._ahead = FetchAhead(self._whole if self._sources > 1 else self._sole)
        self._left_out: dict[str, str] = {}
        """By a deposit's id, what is told of one that was not added."""
        self._below: Hash | None = None

    @property
    def _sources(self) -> int:
        """How many endpoints must show a block, where its hash does not commit to all of it."""
        rules = self._network
        several = rules.repeat_transfers or rules.spec.needs_traces
        return min(rules.agreement, rules.endpoints) if several else 1

    @property
    def warnings(self) -> Sequence[str]:
        """What may be in these blocks without having shown, or showed and was not added."""
        return [*self._client.warnings(), *self._left_out.values()]

    async def run(self, tell: Callable[[], object] = lambda: None) -> None:
        """Read every block, and call `tell` after each.

        Raises:
            ChainError: a block cannot be had, also after some patience.
            NotOurs: a block is not known to be in our chain, also after some patience.
        """
        started = time.monotonic()
        await self._client.survey()  # who traces, and how old a block is for whom
        try:
            for number in range(self.span.first, self.span.last + 1):
                mended = await self._patiently(number)
                self.added += mended.added
                self.orphaned += mended.orphaned
                self.done += 1
                self.seconds = time.monotonic() - started
                tell()
        finally:
            await self._ahead.clear()

    async def _sole(self, number: int) -> Reading | None:
        """The block as the one endpoint shows it that is asked."""
        block = await self._client.block(number)
        return None if block is None else read_together([block])

    async def _whole(self, number: int) -> Reading | None:
        """The block with all that any endpoint shows in it: what one withholds, another tells.

        Raises:
            ChainUnavailable: fewer show it than must repeat its transfers.
        """
        copies = await self._client.copies(number)
        traced = not self._network.repeat_transfers
        if traced and not copies:
            return await self._sole(number)  # nobody traces it
        by_hash: dict[Hash, list[Block]] = {}
        for each in copies.values():
            by_hash.setdefault(each.ref.hash, []).append(each)
        same = max(by_hash.values(), key=len, default=[])
        # Of those that trace the client itself requires enough.
        needed = min(self._sources, len(copies)) if traced else self._sources
        if len(same) < needed:
            alike = f"{len(same)} of {needed} endpoints show it alike"
            raise ChainUnavailable(f"block {number}: {alike}")
        return read_together(same)

    async def _patiently(self, number: int) -> Mended:
        """Try again where the node or the chain moves; who asks decides on a longer wait."""
        for pause in PAUSES:
            try:
                return await self._read(number)
            except (ChainUnavailable, NotOurs) as error:
                asked = error.retry_after if isinstance(error, ChainUnavailable) else None
                if (asked or 0) > PAUSES[-1]:
                    raise
                await self._ahead.clear()
                await asyncio.sleep(max(pause, asked or 0))
        return await self._read(number)

    async def _read(self, number: int) -> Mended:
        """Read one block, add what is missing of it and take back what is denied."""
        reading = await self._ahead.take(number, self.span.last)
        if reading is None:
            raise ChainUnavailable(f"there is no block {number}, though our chain has one")
        # What builds up to a block that we keep is ours by its hash, however old.
        if self._below not in (None, reading.ref.parent_hash):
            raise NotOurs(f"block {number} does not build on the one just read below it")
        network = self.span.network
        async with storage.read(self._engine) as conn:
            differ = await differences(conn, self._policy, network, reading, clock.now())
            kept = await storage.blocks.at(conn, network, number)
        repeated = await self._repeated(reading, differ.doubtful)
        mended = Mended([], [])
        if differ or repeated:
            if kept is None:
                await self._require_agreement(reading.ref)
            seconded = replace(reading, repeated=repeated)
            mended = await storage.repeat(
                self._engine,
                lambda conn: add_missing(conn, self._policy, network, seconded, clock.now()),
            )
        self._below = reading.ref.hash
        return mended

    async def _repeated(self, reading: Reading, doubtful: Sequence[Deposit]) -> frozenset[Claim]:
        """What of the doubtful enough endpoints repeat now; the rest is told of."""
        repeated = set()
        for each in doubtful:
            names = await self._client.corroborate(reading.ref, [transfer_of(each)])
            if len(names) >= self._network.agreement:
                repeated.add(claim_of(transfer_of(each)))
            else:
                self._left_out[each.id] = self._told(each, len(names))
        return frozenset(repeated)

    def _told(self, left_out: Deposit, count: int) -> str:
        where = f"block {left_out.block_number}"
        if left_out.tx_hash:
            where += f", transaction {self._network.spec.show_hash(left_out.tx_hash)}"
        return (
            f"{where}: {left_out.position}, which pays {left_out.invoice_id}, was not added: "
            f"{count} of {self._network.agreement} endpoints repeat it"
        )

    async def _require_agreement(self, ref: BlockRef) -> None:
        """Whose hash we no longer keep rests on the endpoints: on as many as must agree."""
        needed = self._network.agreement
        names = await self._client.corroborate(ref, ())
        if len(names) < needed:
            raise NotOurs(f"block {ref.number}: {len(names)} of {needed} endpoints give this one")
