"""The embedded Tron node for tests: a chain whose seconds are counted by hand, and its client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from chains.base import ChainClient, ClientOptions, EndpointSettings
from chains.sandbox.control import Reorg
from chains.sandbox.node import open_node
from chains.sandbox.tron.accounts import inner
from chains.sandbox.tron.flavour import tron
from chains.sandbox.tron.node import TRON_KIND, TronNode
from chains.sandbox.tron.orders import Order
from chains.tron import TRON
from chains.tvm.address import text
from chains.tvm.client import TronClient, read_here
from watcher.domain.blocks import Block, Hash
from watcher.domain.money import Address, Asset

TRX, USDT, USDD = TRON.assets[:3]
COIN = Asset(TRON.name, "COIN", 6, Address("1000002"))
ASSETS = (*TRON.assets, COIN)
SHOP, OTHER = text(b"\xa1" * 20), text(b"\xb2" * 20)
START = 1_700_000_000


def contract(asset: Asset) -> Address:
    """Where a TRC-20 token stands, as the chain has it inside."""
    assert asset.contract is not None
    return inner(asset.contract)


@asynccontextmanager
async def open_tron(path: Path | None = None, **options: Any) -> AsyncIterator[TronNode]:
    """A node that mines only when told to, and whose wall clock stands still."""
    options = {"wall": lambda: START, "flavour": tron(ASSETS), **options}
    async with open_node(TRON_KIND, options.pop("flavour"), path, **options) as node:
        yield node


def tron_client(
    *nodes: TronNode,
    assets: Sequence[Asset] = ASSETS,
    urls: Sequence[str] | None = None,
    ahead_seconds: int | None = None,
) -> TronClient:
    """A client that knows the first node's chain and reads within this process.

    Args:
        urls: what to ask instead of the nodes themselves.
    """
    urls = urls or [node.url for node in nodes]
    endpoints = [EndpointSettings(name, url) for name, url in zip("abc", urls, strict=False)]
    chain = nodes[0].chain
    genesis = Hash(next(iter(chain.blocks)).hash)
    options = ClientOptions(endpoints, assets, chain.chain_id, genesis, ahead_seconds=ahead_seconds)
    return TronClient(TRON, options, read=read_here)


@asynccontextmanager
async def open_client(*nodes: TronNode) -> AsyncIterator[TronClient]:
    client = tron_client(*nodes)
    try:
        yield client
    finally:
        await client.close()


async def read(node: TronNode, number: int) -> Block:
    """A block as the client that is shipped gives it: proven."""
    async with open_client(node) as client:
        block = await client.block(number)
    assert block is not None
    return block


async def ask(node: TronNode, path: str, **params: object) -> Any:
    """What the node answers to a POST."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{node.url}/{path}", json=params) as response,
    ):
        assert response.status == 200
        return await response.json()


class TronRow:
    """The Tron node as `tests/chains/test_contract.py` drives it."""

    spec, coin, shop, stranger = TRON, TRX, SHOP, OTHER

    def __init__(self, node: TronNode) -> None:
        self._node, self._clients = node, list[ChainClient]()
        self.url, self.faults = node.url, node.faults

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[TronRow]:
        async with open_tron() as node:
            row = cls(node)
            try:
                yield row
            finally:
                for client in row._clients:
                    await client.close()

    def client(self) -> ChainClient:
        client = tron_client(self._node, urls=[self.url])
        self._clients.append(client)
        return client

    def pay(self, *units: int) -> None:
        for each in units:
            self._node.chain.send(Order(inner(SHOP), each))
        self._node.mine()

    def mine(self, blocks: int = 1) -> None:
        self._node.mine(blocks)

    def advance(self, seconds: int) -> None:
        self._node.advance(seconds)

    def reorg(self, depth: int, blocks: int) -> None:
        self._node.reorg(Reorg(depth, blocks))
