"""Reads any Tron network: two calls per block to one endpoint, proven before anyone sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter

from chains.base import (
    Capability,
    ChainDataError,
    ChainUnavailable,
    ClientOptions,
    EndpointRefused,
    EndpointReport,
    Holding,
    NetworkSpec,
    Transaction,
    WrongChain,
)
from chains.endpoints import Endpoint, EndpointPool
from chains.transaction import find, in_block
from chains.tvm import balances, calls, transaction
from chains.tvm.address import raw
from chains.tvm.blocks import Listing, Reading, read_block
from chains.tvm.capabilities import examine
from chains.tvm.provider import FastTronProvider
from chains.worker import SHARED
from watcher.domain.blocks import Block, BlockRef, Hash, Transfer
from watcher.domain.money import Address, Asset

Read = Callable[[bytes, bytes, Listing], Awaitable[Reading]]
"""(block JSON, infos JSON, what is listed) -> what `read_block` gives."""


async def read_apart(block: bytes, infos: bytes, listing: Listing) -> Reading:
    """Read in the worker process that all clients share."""
    return await SHARED.run(read_block, block, infos, listing)


async def read_here(block: bytes, infos: bytes, listing: Listing) -> Reading:
    """Read in this very process."""
    return read_block(block, infos, listing)


def listing_of(spec: NetworkSpec, assets: Sequence[Asset]) -> Listing:
    """What to look for: a contract of digits only is the id of a TRC-10 token."""
    tokens = [(asset.contract, asset.method) for asset in assets if asset.contract is not None]
    native = spec.assets[0].method
    return Listing(
        spec.name,
        native if any(asset.method == native for asset in assets) else None,
        {raw(contract): method for contract, method in tokens if not contract.isdigit()},
        {contract: method for contract, method in tokens if contract.isdigit()},
    )


class TronClient:
    """Implements `chains.base.ChainClient`.

    Args:
        read: decodes and proves a block; None: in the worker process that all clients share.
    """

    def __init__(
        self, spec: NetworkSpec, options: ClientOptions, *, read: Read | None = None
    ) -> None:
        self._listing = listing_of(spec, options.assets)
        self._options, self._pace_seconds = options, spec.pace_seconds
        self._genesis = options.genesis_hash
        self._tells_internal: set[str] = set()
        """Endpoints that were seen to tell of internal calls."""
        self._deputies: set[tuple[Address | None, Address]] = set()
        """(witness, who signs for it), as far as a node has said so."""
        self._pool = EndpointPool(options.endpoints, FastTronProvider, self._identify)
        self._shared = SHARED if read is None else None
        self._read = read or read_apart
        if self._shared is not None:
            self._shared.hold()

    async def genesis(self) -> Hash:
        return await self._pool.ask(calls.genesis_hash)

    async def head(self) -> BlockRef:
        return await self._pool.ask(self._head)

    async def finalized(self) -> BlockRef | None:
        ask = partial(calls.newest, method=calls.SOLID)
        if self._options.agreement == 1:
            return await self._pool.ask(ask)
        said = sorted((await self._pool.each(ask)).values(), key=attrgetter("number"))
        if len(said) < self._options.agreement:
            return None
        # Sorted upwards: as many as must agree call this one final, or a later one; of those that
        # do, each must have this very one.
        final = said[-self._options.agreement]
        given = await self._pool.each(partial(calls.block_hash, number=final.number))
        same = sum(block_hash == final.hash for block_hash in given.values())
        return final if same >= self._options.agreement else None

    async def block(self, number: int) -> Block | None:
        return await self._pool.ask(partial(self._block, number))

    async def transaction(self, hash: Hash) -> Transaction | None:
        listing = replace(self._listing, explained=hash)

        async def read(number: int) -> Transaction | None:
            found = await self._pool.ask(partial(self._reading, number, listing))
            if found is None:
                return None
            return in_block(hash, found.block, found.refusals, transaction.unseen(found))

        return await find(self._pool, hash, partial(transaction.place, hash=hash), read)

    async def corroborate(self, ref: BlockRef, transfers: Sequence[Transfer]) -> frozenset[str]:
        """Infos are under no hash, so each endpoint's own block must hold `transfers` as well."""
        given = await self._pool.each(partial(self._block, ref.number))
        claimed = set(map(_claim, transfers))
        return frozenset(
            name
            for name, block in given.items()
            if block is not None
            and block.ref.hash == ref.hash
            and claimed <= set(map(_claim, block.transfers))
        )

    async def balances(
        self, addresses: Sequence[Address], assets: Sequence[Asset], number: int | None
    ) -> Sequence[Holding]:
        if number is not None:
            raise EndpointRefused("a Tron node keeps the newest final balances only")
        found: list[Holding] = []
        for start in range(0, len(addresses), balances.AT_ONCE):
            few = addresses[start : start + balances.AT_ONCE]
            found += await self._pool.ask(partial(balances.holdings, addresses=few, assets=assets))
        return found

    async def survey(self) -> None:
        await self._pool.survey(self._head_number)

    async def capabilities(self) -> Sequence[Capability]:
        found = await asyncio.gather(
            *(examine(n, self._options.assets, self._pace_seconds) for n in self._pool.endpoints)
        )
        return [capability for of_endpoint in found for capability in of_endpoint]

    def endpoints(self) -> Sequence[EndpointReport]:
        return self._pool.reports()

    def warnings(self) -> Sequence[str]:
        silent = [n.name for n in self._pool.endpoints if n.name not in self._tells_internal]
        if not silent:
            return ()
        return (
            f"internal TRX is not covered as far as is known: {', '.join(silent)} told of no "
            "internal call yet, so TRX that a contract pays may go unseen",
        )

    async def close(self) -> None:
        await self._pool.close()
        if self._shared is not None:
            shared, self._shared = self._shared, None
            await shared.release()

    async def _identify(self, node: Endpoint) -> None:
        """By block 0. Its id ends in what Tron calls its chain id, so that says nothing more."""
        genesis = await calls.genesis_hash(node)
        if self._genesis is None:  # no await between the look and the keeping
            self._genesis = genesis
        if genesis != self._genesis:
            raise WrongChain(f"its block 0 is {genesis}, ours {self._genesis}")

    async def _head(self, node: Endpoint) -> BlockRef:
        head = await calls.newest(node)
        self._pool.saw_head(node, head.number)
        return head

    async def _head_number(self, node: Endpoint) -> int:
        return (await calls.newest(node)).number

    async def _block(self, number: int, node: Endpoint) -> Block | None:
        reading = await self._reading(number, self._listing, node)
        return None if reading is None else reading.block

    async def _reading(self, number: int, listing: Listing, node: Endpoint) -> Reading | None:
        """One endpoint answers both calls, so a failed proof names, and quarantines, the liar."""
        block = await calls.block_json(node, number)
        head = node.health.head
        if block is None and head is not None and number <= head:
            raise ChainUnavailable(f"no block {number}, but a head at {head}")
        if block is None:
            return None
        infos = await node.raw(calls.INFOS, {"num": number})
        try:
            reading = await self._read(block, infos or b"[]", listing)
        except ChainDataError:
            await self._require_same(block, node)
            raise
        if reading.has_internal:
            self._tells_internal.add(node.name)
        if reading.signer is not None:
            await self._require_deputy(reading, reading.signer, node)
        return reading

    async def _require_same(self, block: bytes, node: Endpoint) -> None:
        """Infos are asked for by number: a fork between the two calls is no lie."""
        ref = calls.ref_of(block)
        if await calls.block_hash(node, ref.number) != ref.hash:
            raise ChainUnavailable(f"block {ref.number} changed while it was read")

    async def _require_deputy(self, reading: Reading, signer: Address, node: Endpoint) -> None:
        """A witness may have another key sign its blocks: its witness permission."""
        pair = (reading.witness, signer)
        if pair in self._deputies:
            return
        assert reading.witness is not None
        if f"41{raw(signer).hex()}" not in await calls.witness_keys(node, reading.witness):
            number = reading.block.ref.number
            raise ChainDataError(f"block {number}: {signer} signed for witness {reading.witness}")
        self._deputies.add(pair)


def _claim(transfer: Transfer) -> tuple[Hash | None, str, str, Address, int]:
    """What two endpoints must say alike of a transfer."""
    return transfer.tx_hash, transfer.position, transfer.method, transfer.to, transfer.units
