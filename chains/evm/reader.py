"""Reads one EVM block: two calls, or three with traces, proven before anyone sees it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from chains.base import ChainDataError, ChainUnavailable
from chains.endpoint import Endpoint, shaped
from chains.endpoints import EndpointPool
from chains.evm import calls
from chains.evm.blocks import Listing, Reading, header_fields
from chains.evm.rpc import NoSuchBlock
from chains.evm.traces import PARITY
from chains.evm.tracing import Tracing
from chains.evm.worker import Read
from chains.health import Missing
from watcher.domain.blocks import BlockRef, Hash, Transfer


@dataclass(frozen=True, slots=True)
class Found:
    """A block that was read, who gave it, and what it gave."""

    endpoint: str
    block_json: bytes
    reading: Reading
    untraced: bool
    """Its traces would tell more, and are not there."""


class BlockReader:
    """Reads blocks from a pool of endpoints.

    Args:
        read: decodes and proves a block.
    """

    def __init__(self, pool: EndpointPool, tracing: Tracing, read: Read) -> None:
        self._pool, self._tracing, self._read = pool, tracing, read

    async def block(self, number: int, listing: Listing) -> Found | None:
        """The block, with its traces wherever an endpoint is known to have them."""
        tracing = self._tracing
        whole = tracing.awaited(number)
        silent = tracing.silent if whole and not tracing.by_logs else frozenset()
        but = silent if len(silent) < len(self._pool.endpoints) else frozenset()
        found = await self._pool.ask(partial(self._find, number, listing, whole=whole), but=but)
        if found is not None and found.reading.unknown_fields:
            # Not within `ask`: that nobody can second it is no fault of who gave it.
            found = await self._seconded(number, listing, found)
        if found is not None and found.untraced:
            if whole:
                raise ChainUnavailable(f"block {number}: only an endpoint without traces proves it")
            tracing.note_untraced(number)
        if found is not None:
            own = partial(self._own_hash, listing)
            await self._pool.try_again(found.reading.block.ref, found.endpoint, own)
        return found

    async def traced(self, number: int, listing: Listing, node: Endpoint) -> Found | None:
        """The endpoint's own block with its own traces; raises Missing where it has none."""
        return await self._find(number, listing, node, whole=True)

    async def repeats(
        self, ref: BlockRef, transfers: Sequence[Transfer], listing: Listing, node: Endpoint
    ) -> bool | None:
        """Whether its traces repeat the transfers; None where it has none, but the block."""
        try:
            found = await self._find(ref.number, listing, node, whole=True)
        except Missing:
            other = await calls.block_ref(node, ref.number)
            return None if other and other.hash == ref.hash else False
        if found is None or found.reading.block.ref.hash != ref.hash:
            return False
        return set(map(_claim, transfers)) <= set(map(_claim, found.reading.block.transfers))

    async def _own_hash(self, listing: Listing, number: int, node: Endpoint) -> Hash | None:
        found = await self._find(number, listing, node, whole=False)
        return None if found is None else found.reading.block.ref.hash

    async def _find(
        self, number: int, listing: Listing, node: Endpoint, *, whole: bool
    ) -> Found | None:
        """One endpoint answers all calls, so a failed proof names, and quarantines, the liar.

        Args:
            whole: raise Missing, rather than leave them out, where its traces are not there.
        """
        block = await self._full_block(number, node)
        if block is None:
            return None
        named = shaped(calls.HEADER, block, calls.Named)
        calls.require_number(int(named.number, 16), number)
        # By hash: asked by number, a reorg between the two calls would mix two blocks.
        receipts = await node.raw("eth_getBlockReceipts", [named.hash])
        if receipts is None:
            raise ChainUnavailable(f"no receipts of block {number}, just given")
        traces = await self._tracing.fetch(node, named, whole=whole)
        try:
            reading = await self._read(block, receipts, listing, traces)
        except ChainDataError:
            if traces is not None and traces.tracer == PARITY:
                await self._require_same(named, node)
            raise
        return Found(node.name, block, reading, traces is None and self._tracing.needed(named))

    async def _require_same(self, named: calls.Named, node: Endpoint) -> None:
        """Such traces are asked for by number: a fork between the calls is no lie."""
        number = int(named.number, 16)
        now = await calls.block_ref(node, number)
        if now is None or f"0x{now.hash}" != named.hash:
            raise ChainUnavailable(f"block {number} changed while it was read")

    async def _full_block(self, number: int, node: Endpoint) -> bytes | None:
        block = None
        with suppress(NoSuchBlock):  # an error of some, a null of others: the same words
            block = await node.raw(calls.HEADER, [hex(number), True])
        head = node.health.head
        if block is None and head is not None and number <= head:
            raise ChainUnavailable(f"no block {number}, but a head at {head}")
        return block

    async def _seconded(self, number: int, listing: Listing, found: Found) -> Found:
        """Require another endpoint's block where the header of `found` cannot be recomputed.

        Either the other's is proven in full, and then it is the one to believe; or it has the very
        same header. A difference does not tell who lied, but only who cannot prove it may have.
        """
        fields = ", ".join(found.reading.unknown_fields)
        try:
            ask = partial(self._find, number, listing, whole=False)
            other = await self._pool.ask(ask, but={found.endpoint})
        except ChainUnavailable as error:
            raise ChainUnavailable(
                f"block {number}: a second endpoint is needed for headers with unknown fields "
                f"{fields}; {error}",
                retry_after=error.retry_after,
            ) from error
        if other is None:
            raise ChainUnavailable(f"block {number}: no second endpoint has it yet ({fields})")
        unproven, theirs = header_fields(found.block_json), header_fields(other.block_json)
        if not other.reading.unknown_fields:
            if any(theirs.get(name, value) != value for name, value in unproven.items()):
                lie = ChainDataError(f"block {number}: not the one that is proven ({fields})")
                self._pool.blame(found.endpoint, lie)
                return other
            return found if other.untraced else other
        if theirs != unproven:
            raise ChainDataError(f"block {number}: two endpoints differ in its header ({fields})")
        return found


def _claim(transfer: Transfer) -> Transfer:
    """What two endpoints must say alike of a transfer."""
    return replace(transfer, sender=None)
