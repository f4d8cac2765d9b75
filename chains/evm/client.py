"""Implements the chain client for any EVM network; `reader` reads its blocks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from operator import attrgetter, itemgetter

from chains.ahead import in_time
from chains.asking import occasionally
from chains.base import (
    TRACE,
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
from chains.evm import balances, calls, feeds, transaction
from chains.evm.blocks import Listing
from chains.evm.capabilities import examine
from chains.evm.provider import FastHTTPProvider
from chains.evm.reader import BlockReader
from chains.evm.rules import ETHEREUM_RULES, EvmRules
from chains.evm.tracing import Tracing
from chains.evm.worker import Read, read_apart
from chains.examining import compare
from chains.transaction import find, in_block
from chains.worker import SHARED, timed
from watcher.domain.blocks import Block, BlockRef, Hash, Transfer
from watcher.domain.money import Address, Asset
from watcher.domain.rates import Round


class EvmClient:
    """Implements `chains.base.ChainClient`.

    Args:
        rules: what is special about the network.
        read: decodes and proves a block; None: in the worker process that all clients share.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        options: ClientOptions,
        rules: EvmRules = ETHEREUM_RULES,
        *,
        read: Read | None = None,
    ) -> None:
        native = spec.assets[0].method
        tokens = {a.contract: a.method for a in options.assets if a.contract is not None}
        self._listing = Listing(spec.name, native, tokens, rules)
        self._unchecked = [asset for asset in options.assets if asset.contract is not None]
        """Tokens whose decimals no endpoint has been asked for yet."""
        self._native_listed = any(asset.method == native for asset in options.assets)
        self._options, self._pace_seconds = options, spec.pace_seconds
        self._feeds = spec.feeds
        self._genesis = options.genesis_hash
        self._pool = EndpointPool(
            options.endpoints,
            FastHTTPProvider,
            self._identify,
            hedge_seconds=options.hedge_seconds,
            observer=options.observer,
        )
        mode = options.traces if self._native_listed else "off"
        names = [endpoint.name for endpoint in options.endpoints]
        self._tracing = Tracing(mode, names, spec.assets[0].symbol, rules)
        self._shared = SHARED if read is None else None
        reading = in_time(timed(read or read_apart, options.observer), options.ahead_seconds)
        self._reader = BlockReader(self._pool, self._tracing, reading)
        if self._shared is not None:
            self._shared.hold()

    async def genesis(self) -> Hash:
        return await self._pool.ask(calls.genesis_hash)

    async def head(self) -> BlockRef:
        return await self._pool.ask(self._head)

    async def finalized(self) -> BlockRef | None:
        ask = partial(calls.block_ref, block="finalized")
        if self._options.agreement == 1:
            return await self._pool.ask(ask)
        said = [ref for ref in (await self._pool.each(ask)).values() if ref]
        if len(said) < self._options.agreement:
            return None
        said.sort(key=attrgetter("number"))
        # Sorted upwards: as many as must agree call this one final, or a later one.
        return await self._same_at(said[-self._options.agreement].number)

    async def block(self, number: int) -> Block | None:
        found = await self._reader.block(number, self._listing)
        return None if found is None else self._listed(found.reading.block)

    async def copies(self, number: int) -> Mapping[str, Block]:
        """The same hash is the same block, but for what traces tell: by those that trace."""
        if self._tracing.mode == "off" or self._listing.rules.native_log is not None:
            return {}
        read = partial(self._reader.traced, number, self._listing)
        given = await self._pool.each(occasionally(read), WHOLE_SECONDS)
        own = {name: found.reading for name, found in given.items() if found is not None}
        self._tracing.require_enough(number, len(own), self._options.agreement)
        if any(reading.unknown_fields for reading in own.values()):
            return {}  # `block` has it seconded
        names = (endpoint.name for endpoint in self._pool.endpoints)
        return {name: self._listed(own[name].block) for name in names if name in own}

    async def transaction(self, hash: Hash) -> Transaction | None:
        listing = replace(self._listing, explained=f"0x{hash}")

        async def read(number: int) -> Transaction | None:
            found = await self._reader.block(number, listing)
            if found is None:
                return None
            block, unseen = self._listed(found.reading.block), transaction.unseen(found.untraced)
            return in_block(hash, block, found.reading.refusals, unseen)

        return await find(self._pool, hash, partial(transaction.place, hash=hash), read)

    async def corroborate(self, ref: BlockRef, transfers: Sequence[Transfer]) -> frozenset[str]:
        """The hash commits to every transfer but those of traces, which must be repeated."""
        internal = [each for each in transfers if each.position.startswith(TRACE)]
        if internal and self._tracing.mode != "off":
            repeats = partial(self._reader.repeats, ref, internal, self._listing)
            said = await self._pool.each(occasionally(repeats), WHOLE_SECONDS)
            return self._tracing.vouching(said, self._options.agreement)
        given = await self._pool.each(partial(calls.block_ref, block=ref.number))
        hashes = {name: (other.hash if other else None) for name, other in given.items()}
        return self._pool.side_with(hashes, ref, self._options.agreement)

    async def balances(
        self,
        addresses: Sequence[Address],
        assets: Sequence[Asset],
        final: BlockRef,
        number: int | None = None,
    ) -> Sequence[Holding]:
        number = final.number if number is None else number
        asked = [(address, asset) for address in addresses for asset in assets]
        units: list[int | None] = []
        for start in range(0, len(asked), balances.AT_ONCE):
            few = asked[start : start + balances.AT_ONCE]
            read = partial(balances.units_held, final=final, number=number, asked=few)
            units += await self._pool.ask(read)
        return [
            Holding(address, asset.method, each, number, number)
            for (address, asset), each in zip(asked, units, strict=True)
        ]

    async def repeat_balances(
        self, holdings: Sequence[Holding], final: BlockRef
    ) -> Sequence[frozenset[str]]:
        return await balances.repeat(self._pool, holdings, self._options.assets, final)

    async def has_code(self, address: Address, final: BlockRef, number: int) -> bool | None:
        read = partial(balances.has_code, final=final, number=number, address=address)
        return await self._pool.ask(occasionally(read))

    async def rounds(self) -> Sequence[Round]:
        if not self._feeds:
            return []
        number = max(0, (await self.head()).number - feeds.BEHIND)
        told = await self._pool.each(
            occasionally(partial(feeds.read, number=number, feeds=self._feeds))
        )
        if not told:
            raise ChainUnavailable("no endpoint answers for the price feeds")
        return feeds.agreed(told.values(), self._options.agreement)

    async def survey(self) -> None:
        await self._pool.survey(self._head_number)

    async def capabilities(self) -> Sequence[Capability]:
        options, pace = self._options, self._pace_seconds
        traces = options.traces if self._listing.rules.native_log is None else None
        found = await asyncio.gather(
            *(
                examine(node, options, self._require_chain, pace, traces=traces)
                for node in self._pool.endpoints
            )
        )
        true = [node for node, of in zip(self._pool.endpoints, found, strict=True) if of[0].ok]
        return [*chain.from_iterable(found), *await compare(true, calls.newest)]

    def endpoints(self) -> Sequence[EndpointReport]:
        tells = self._tracing.tells
        return [replace(each, traces=tells(each.name)) for each in self._pool.reports()]

    def warnings(self) -> Sequence[str]:
        return self._tracing.warnings()

    async def close(self) -> None:
        await self._pool.close()
        if self._shared is not None:
            shared, self._shared = self._shared, None
            await shared.release()

    async def _same_at(self, number: int) -> BlockRef | None:
        """The block at `number`, if `agreement` endpoints have that very one."""
        given = Counter((await self._pool.each(partial(calls.block_ref, block=number))).values())
        ref, count = max(given.items(), key=itemgetter(1), default=(None, 0))
        return ref if count >= self._options.agreement else None

    async def _identify(self, node: Endpoint) -> None:
        await self._require_chain(node)
        await self._require_decimals(node)
        self._tracing.forget(node)

    async def _require_chain(self, node: Endpoint) -> str:
        """Both, since private chains share ids and forks share a genesis."""
        chain_id = await calls.chain_id(node)
        if chain_id != self._options.chain_id:
            raise WrongChain(f"follows chain id {chain_id}, configured {self._options.chain_id}")
        genesis = await calls.genesis_hash(node)
        if self._genesis is None:  # no await between the look and the keeping
            self._genesis = genesis
        if genesis != self._genesis:
            raise WrongChain(f"its block 0 is {genesis}, ours {self._genesis}")
        return f"chain id {chain_id}, genesis {genesis[:8]}…"

    async def _require_decimals(self, node: Endpoint) -> None:
        """Once a start: a wrong number of decimals would turn a cent into millions, or back."""
        while self._unchecked:
            asset = self._unchecked[-1]
            try:
                await calls.require_decimals(node, asset)
            except EndpointRefused:
                return  # serves no calls: another may
            except ChainDataError as error:
                raise ChainDataError(f"token {asset.symbol}: {error}") from error
            if asset in self._unchecked:  # else checked at another endpoint meanwhile
                self._unchecked.remove(asset)

    async def _head(self, node: Endpoint) -> BlockRef:
        head = await calls.newest(node)
        self._pool.saw_head(node, head.number)
        return head

    async def _head_number(self, node: Endpoint) -> int:
        head = await calls.newest(node)
        await self._tracing.probe(node, head.number, head.hash)
        return head.number

    def _listed(self, block: Block) -> Block:
        if self._native_listed:
            return block
        tokens = self._listing.tokens.values()
        return replace(block, transfers=tuple(t for t in block.transfers if t.method in tokens))
