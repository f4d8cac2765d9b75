"""The embedded EVM node for tests: a chain whose seconds are counted by hand, and its client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from chains.base import ChainClient, ClientOptions, EndpointSettings, NetworkSpec, Traces
from chains.ethereum import ETHEREUM, token
from chains.evm.client import EvmClient
from chains.evm.rules import ETHEREUM_RULES, EvmRules
from chains.evm.worker import read_here
from chains.polygon import POLYGON as POLYGON_SPEC
from chains.polygon import RULES as POLYGON_RULES
from chains.sandbox.control import Reorg
from chains.sandbox.evm.flavour import Flavour, ethereum
from chains.sandbox.evm.node import EVM_KIND, EvmNode
from chains.sandbox.evm.payments import plain
from chains.sandbox.evm.polygon import polygon
from chains.sandbox.node import open_node
from watcher.domain.money import Address, Asset, Network

ETH, USDT, USDC = ETHEREUM.assets[:3]
POLYGON = Network("polygon")
POL = Asset(POLYGON, "POL", 18)
POLYGON_USDC = token(POLYGON, "USDC", 6, "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359")
SHOP, OTHER = Address("0x" + "a1" * 20), Address("0x" + "b2" * 20)
START = 1_700_000_000


def contract(asset: Asset) -> Address:
    """Where a token stands."""
    assert asset.contract is not None
    return asset.contract


def ethereum_flavour() -> Flavour:
    return ethereum(ETHEREUM.chain_id, ETHEREUM.assets)


def polygon_flavour() -> Flavour:
    return polygon(137, (POL, POLYGON_USDC))


@asynccontextmanager
async def open_evm(
    flavour: Flavour | None = None, path: Path | None = None, **options: Any
) -> AsyncIterator[EvmNode]:
    """A node that mines only when told to, and whose wall clock stands still."""
    options = {"wall": lambda: START, **options}
    async with open_node(EVM_KIND, flavour or ethereum_flavour(), path, **options) as node:
        yield node


@asynccontextmanager
async def open_client(*nodes: EvmNode) -> AsyncIterator[EvmClient]:
    """A client of Ethereum that reads within this process."""
    client = evm_client(*(node.url for node in nodes))
    try:
        yield client
    finally:
        await client.close()


def evm_client(
    *urls: str,
    spec: NetworkSpec = ETHEREUM,
    rules: EvmRules = ETHEREUM_RULES,
    traces: Traces = "off",
    ahead_seconds: int | None = None,
) -> EvmClient:
    endpoints = [EndpointSettings(name, url) for name, url in zip("abc", urls, strict=False)]
    options = ClientOptions(
        endpoints, spec.assets, spec.chain_id, None, traces=traces, ahead_seconds=ahead_seconds
    )
    return EvmClient(spec, options, rules, read=read_here)


async def rpc(node: EvmNode, method: str, *params: object) -> Any:
    """The result of one call; RuntimeError with the node's error."""
    answer = await post(node, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    if "error" in answer:
        raise RuntimeError(str(answer["error"]))
    return answer["result"]


async def post(node: EvmNode, body: object) -> Any:
    """What comes back for any JSON."""
    async with aiohttp.ClientSession() as session, session.post(node.url, json=body) as response:
        return await response.json()


def moved(frame: dict[str, Any], path: str = "") -> Iterator[tuple[str, str, int]]:
    """(path, to, wei) of every call that moved the coin: neither it nor one above it failed."""
    if "error" in frame:
        return
    if (wei := int(frame["value"], 16)) and frame["type"] != "DELEGATECALL":
        yield path, frame["to"], wei
    for index, inner in enumerate(frame.get("calls", ())):
        yield from moved(inner, f"{path}/{index}")


def traced(traces: Iterable[dict[str, Any]]) -> list[list[tuple[str, str, int]]]:
    """What moved, by transaction."""
    return [list(moved(trace["result"])) for trace in traces]


class EvmRow:
    """The node of Ethereum as `tests/chains/test_contract.py` drives it."""

    spec, rules, flavour = ETHEREUM, ETHEREUM_RULES, staticmethod(ethereum)
    shop, stranger = SHOP, OTHER

    def __init__(self, node: EvmNode) -> None:
        self._node, self._clients = node, list[ChainClient]()
        self.url, self.faults, self.coin = node.url, node.faults, self.spec.assets[0]

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[EvmRow]:
        async with open_evm(cls.flavour(cls.spec.chain_id, cls.spec.assets)) as node:
            row = cls(node)
            try:
                yield row
            finally:
                for client in row._clients:
                    await client.close()

    def client(self) -> ChainClient:
        traces: Traces = "required" if self.spec.needs_traces else "off"
        client = evm_client(self.url, spec=self.spec, rules=self.rules, traces=traces)
        self._clients.append(client)
        return client

    def pay(self, *units: int) -> None:
        for each in units:
            self._node.chain.send(plain(None, SHOP, each))
        self._node.mine()

    def mine(self, blocks: int = 1) -> None:
        self._node.mine(blocks)

    def advance(self, seconds: int) -> None:
        self._node.advance(seconds)

    def reorg(self, depth: int, blocks: int) -> None:
        self._node.reorg(Reorg(depth, blocks))


class PolygonRow(EvmRow):
    """The same of Polygon."""

    spec, rules, flavour = POLYGON_SPEC, POLYGON_RULES, staticmethod(polygon)
