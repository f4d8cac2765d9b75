"""Reads any Tron network: two calls per block to one endpoint, proven before anyone sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from operator import attrgetter

from chains.ahead import in_time
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
from chains.endpoint import Endpoint
from chains.endpoints import WHOLE_SECONDS, EndpointPool
from chains.examining import compare
from chains.transaction import find
from chains.tvm import balances, calls, transaction
from chains.tvm.blocks import Listing, Reading, listing_of, read_block
from chains.tvm.capabilities import examine
from chains.tvm.doubts import Doubts, claims_of, is_committed, repeating
from chains.tvm.provider import FastTronProvider
from chains.worker import SHARED, timed
from watcher.domain.blocks import Block, BlockRef, Hash, Transfer
from watcher.domain.money import Address, Asset
from watcher.domain.rates import Round

Read = Callable[[bytes, bytes, Listing], Awaitable[Reading]]
"""(block JSON, infos JSON, what is listed) -> what `read_block` gives."""


async def read_apart(block: bytes, infos: bytes, listing: Listing) -> Reading:
    """Read in the worker process that all clients share."""
    return await SHARED.run(read_block, block, infos, listing)


async def read_here(block: bytes, infos: bytes, listing: Listing) -> Reading:
    """Read in this very process."""
    return read_block(block, infos, listing)


@dataclass(frozen=True, slots=True)
class _Found:
    """What one endpoint gave for a block."""

    endpoint: str
    reading: Reading


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
        self._unchecked = [asset for asset in options.assets if asset.contract is not None]
        """Tokens whose decimals no endpoint has been asked for yet."""
        self._doubts = Doubts([endpoint.name for endpoint in options.endpoints])
        self._pool = EndpointPool(
            options.endpoints,
            FastTronProvider,
            self._identify,
            hedge_seconds=options.hedge_seconds,
            observer=options.observer,
        )
        self._shared = SHARED if read is None else None
        self._read = in_time(timed(read or read_apart, options.observer), options.ahead_seconds)
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
        found = await self._believed(number, self._listing)
        return None if found is None else found.reading.block

    async def copies(self, number: int) -> Mapping[str, Block]:
        readings = await self._readings(number, self._listing)
        blocks = {name: each.block for name, each in readings.items()}
        for ref in {each.ref for each in blocks.values()}:
            same = {n: claims_of(b.transfers) for n, b in blocks.items() if b.ref == ref}
            self._doubts.compare(ref, same)
        return blocks

    async def transaction(self, hash: Hash) -> Transaction | None:
        listing = replace(self._listing, explained=hash)

        async def read(number: int) -> Transaction | None:
            first = await self._believed(number, listing)
            if first is None:
                return None
            several = len(self._pool.endpoints) > 1
            others = await self._readings(number, listing) if several else {}
            told = {**others, first.endpoint: first.reading}
            return transaction.in_block(hash, first.reading.block.ref, told)

        return await find(self._pool, hash, partial(transaction.place, hash=hash), read)

    async def corroborate(self, ref: BlockRef, transfers: Sequence[Transfer]) -> frozenset[str]:
        """What is under no hash each endpoint's own block must hold as well."""
        if all(map(is_committed, transfers)):
            said = await self._pool.each(partial(calls.block_hash, number=ref.number))
            return self._pool.side_with(said, ref, self._options.agreement)
        read = partial(self._find, ref.number, self._listing)
        found = await self._pool.each(read, WHOLE_SECONDS)
        told = {
            name: claims_of(each.reading.block.transfers)
            for name, each in found.items()
            if each is not None and each.reading.block.ref.hash == ref.hash
        }
        self._doubts.compare(ref, told)
        return repeating(told, transfers)

    async def balances(
        self,
        addresses: Sequence[Address],
        assets: Sequence[Asset],
        final: BlockRef,
        number: int | None = None,
    ) -> Sequence[Holding]:
        if number is not None:
            raise EndpointRefused("a Tron node keeps the newest final balances only")
        found: list[Holding] = []
        for start in range(0, len(addresses), balances.AT_ONCE):
            few = addresses[start : start + balances.AT_ONCE]
            read = partial(balances.holdings, final=final, addresses=few, assets=assets)
            found += await self._pool.ask(read)
        return found

    async def repeat_balances(
        self, holdings: Sequence[Holding], final: BlockRef
    ) -> Sequence[frozenset[str]]:
        return await balances.repeat(self._pool, holdings, self._options.assets, final)

    async def has_code(self, address: Address, final: BlockRef, number: int) -> bool | None:
        return None

    async def rounds(self) -> Sequence[Round]:
        return []  # its feeds would be another chain's copies

    async def survey(self) -> None:
        await self._pool.survey(self._head_number)

    async def capabilities(self) -> Sequence[Capability]:
        options, pace = self._options, self._pace_seconds
        found = await asyncio.gather(
            *(examine(n, options, self._require_chain, pace) for n in self._pool.endpoints)
        )
        true = [node for node, of in zip(self._pool.endpoints, found, strict=True) if of[0].ok]
        return [*chain.from_iterable(found), *await compare(true, calls.newest)]

    def endpoints(self) -> Sequence[EndpointReport]:
        return self._pool.reports()

    def warnings(self) -> Sequence[str]:
        return self._doubts.sentences()

    async def close(self) -> None:
        await self._pool.close()
        if self._shared is not None:
            shared, self._shared = self._shared, None
            await shared.release()

    async def _identify(self, node: Endpoint) -> None:
        await self._require_chain(node)
        await self._require_decimals(node)

    async def _require_chain(self, node: Endpoint) -> str:
        """By block 0. Its id ends in what Tron calls its chain id, so that says nothing more."""
        genesis = await calls.genesis_hash(node)
        if self._genesis is None:  # no await between the look and the keeping
            self._genesis = genesis
        if genesis != self._genesis:
            raise WrongChain(f"its block 0 is {genesis}, ours {self._genesis}")
        return f"genesis {genesis[:16]}…{genesis[-8:]}"

    async def _require_decimals(self, node: Endpoint) -> None:
        """Once a start: a wrong number of decimals would turn a cent into millions, or back."""
        for asset in tuple(self._unchecked):
            try:
                await calls.require_decimals(node, asset)
            except EndpointRefused:
                continue  # does not serve this: another may
            except ChainDataError as error:
                raise ChainDataError(f"token {asset.symbol}: {error}") from error
            if asset in self._unchecked:  # else checked at another endpoint meanwhile
                self._unchecked.remove(asset)

    async def _head(self, node: Endpoint) -> BlockRef:
        head = await calls.newest(node)
        self._pool.saw_head(node, head.number)
        return head

    async def _head_number(self, node: Endpoint) -> int:
        return (await calls.newest(node)).number

    async def _readings(self, number: int, listing: Listing) -> dict[str, Reading]:
        """By name, what each endpoint that has the block gives for it, in configured order."""
        found = await self._pool.each(partial(self._find, number, listing), WHOLE_SECONDS)
        told = {endpoint.name: found.get(endpoint.name) for endpoint in self._pool.endpoints}
        return {name: each.reading for name, each in told.items() if each is not None}

    async def _believed(self, number: int, listing: Listing) -> _Found | None:
        """What the first good endpoint gives, seconded where its proof leaves a doubt."""
        found = await self._pool.ask(partial(self._find, number, listing))
        if found is None:
            return None
        if found.reading.signer is not None and not self._doubts.knows_deputy(found.reading):
            # Not within `ask`: that nobody repeats a block is no fault of who gave it.
            await self._require_repeated(found)
        own = partial(self._own_hash, listing)
        await self._pool.try_again(found.reading.block.ref, found.endpoint, own)
        return found

    async def _own_hash(self, listing: Listing, number: int, node: Endpoint) -> Hash | None:
        found = await self._find(number, listing, node)
        return None if found is None else found.reading.block.ref.hash

    async def _find(self, number: int, listing: Listing, node: Endpoint) -> _Found | None:
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
            self._doubts.tells_internal(node.name)
        return _Found(node.name, reading)

    async def _require_same(self, block: bytes, node: Endpoint) -> None:
        """Infos are asked for by number: a fork between the two calls is no lie."""
        ref = calls.ref_of(block)
        if await calls.block_hash(node, ref.number) != ref.hash:
            raise ChainUnavailable(f"block {ref.number} changed while it was read")

    async def _require_repeated(self, found: _Found) -> None:
        """Require another endpoint's word for a block that its witness did not sign itself.

        A witness may let another key sign. Which one it let at that time no block says, and no
        node remembers; so the first block of each such pair is believed if another has it too.
        """
        reading, ref = found.reading, found.reading.block.ref
        given = await self._pool.each(partial(calls.block_hash, number=ref.number))
        if given.pop(found.endpoint, ref.hash) != ref.hash:
            raise ChainUnavailable(f"block {ref.number} changed while it was read")
        others = {name: each for name, each in given.items() if each is not None}
        signed = f"block {ref.number}: {reading.signer} signed for witness {reading.witness}"
        if repeats := [name for name, block_hash in others.items() if block_hash == ref.hash]:
            self._doubts.believed(reading, f"{repeats[0]} has the same block")
        elif others:
            lie = ChainDataError(f"{signed}, and {', '.join(others)} has another block")
            self._pool.blame(found.endpoint, lie)
            raise lie
        elif len(self._pool.endpoints) > 1:
            raise ChainUnavailable(f"{signed}, and no other endpoint tells whether it has it")
        else:
            self._doubts.believed(reading, "no other endpoint is configured to repeat it")
