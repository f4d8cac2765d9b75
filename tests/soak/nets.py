"""Three networks, each with a node, one on another branch, and two gateways before both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from chains import NETWORKS
from chains.sandbox.chain import Chain
from chains.sandbox.control import ChainClock, Faults, Pay, serve
from chains.sandbox.evm.flavour import ethereum
from chains.sandbox.evm.node import EVM_KIND
from chains.sandbox.evm.polygon import polygon
from chains.sandbox.node import Kind, Node, open_node
from chains.sandbox.tron.flavour import tron
from chains.sandbox.tron.node import TRON_KIND
from tests.gateway import Gateway
from watcher.domain.money import Address, Asset, Network

KEPT = 50_000  # blocks: the truth is read from all of them
FINAL_AFTER = 24  # blocks; deeper than any reorg here
OFFSET = 500  # forks, by which a branch's differ from the chain's own
COIN = Asset(Network("tron"), "COIN", 6, Address("1000002"))
"""A TRC-10 token."""
CHAIN_IDS: Mapping[str, int | None] = {"ethereum": 31337, "polygon": 31338, "tron": None}


@dataclass
class Net:
    """One network."""

    name: Network
    assets: tuple[Asset, ...]
    kind: Kind[Any, Any]
    node: Node[Any, Any]
    branch: Branch
    gateways: list[Gateway]
    ordered: dict[str, Pay] = field(default_factory=dict)
    """By the hash of its transaction, as the node has it."""

    @property
    def head(self) -> Any:
        return self.node.chain.head


class Branch:
    """What answers for another branch; nothing but its own node's errors before it first grows."""

    def __init__(self, kind: Kind[Any, Any], node: Node[Any, Any]) -> None:
        self._kind, self._of = kind, node
        self._door = kind.door(node)

    def twin(self) -> Node[Any, Any]:
        """A node with the same chain, to be forked by the caller and shown by `show`."""
        chain: Chain[Any, Any] = self._of.chain
        counters = replace(chain.counters, forks=chain.counters.forks + OFFSET)
        twin = type(chain)(
            chain.flavour, chain.blocks, chain.state.copy(), counters, kept_blocks=KEPT
        )
        clock = ChainClock(lambda: chain.head.timestamp)
        return Node(twin, clock, FINAL_AFTER, None, self._kind.orders(twin))

    def show(self, node: Node[Any, Any]) -> None:
        self._door = self._kind.door(node)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        return await self._door(request)


def _flavours() -> list[tuple[str, tuple[Asset, ...], Kind[Any, Any], Any]]:
    assets = {name: NETWORKS[Network(name)].assets for name in CHAIN_IDS}
    trons = (*assets["tron"], COIN)
    return [
        ("ethereum", assets["ethereum"], EVM_KIND, ethereum(31337, assets["ethereum"])),
        ("polygon", assets["polygon"], EVM_KIND, polygon(31338, assets["polygon"])),
        ("tron", trons, TRON_KIND, tron(trons)),
    ]


@asynccontextmanager
async def open_nets(seed: int) -> AsyncIterator[list[Net]]:
    """The networks, answering, at block 0."""
    async with AsyncExitStack() as stack:
        nets = []
        for name, assets, kind, flavour in _flavours():
            node: Node[Any, Any] = await stack.enter_async_context(
                open_node(kind, flavour, finality_blocks=FINAL_AFTER, kept_blocks=KEPT)
            )
            branch = Branch(kind, node)
            url = await stack.enter_async_context(serve(branch.answer, Faults()))
            gateways = [
                await stack.enter_async_context(Gateway(node.url, fork=url, seed=seed + place))
                for place in range(2)
            ]
            nets.append(Net(Network(name), assets, kind, node, branch, gateways))
        yield nets


def config(nets: list[Net], port: int, database_url: str, folder: str) -> str:
    """The daemon's configuration: two endpoints each, all that may be asked of both."""
    tables = [_HEAD.format(port=port, database=database_url, folder=folder)]
    for net in nets:
        ends = ", ".join(
            f'{{ name = "{name}", url = "{gateway.url}" }}'
            for name, gateway in zip("ab", net.gateways, strict=True)
        )
        chain_id = CHAIN_IDS[net.name]
        tables.append(
            f"[networks.{net.name}]\nendpoints = [{ends}]\n"
            + (f"chain_id = {chain_id}\n" if chain_id else "")
            + _KEYS
            + _OWN[net.name]
        )
    return "\n".join(tables)


_HEAD = """\
[server]
port = {port}
[database]
url = "{database}"
[admin]
token = "an-admin-token-for-tests"
[secrets]
key_file = "{folder}/watcher.key"
[invoices]
minimum = {{ USDT = "0.5", POL = "0.01" }}
[rates.fixed]
"ETH/USD" = "3000"
"POL/USD" = "0.5"
"TRX/USD" = "0.25"
"USDT/USD" = "1"
"USDC/USD" = "1"
"DAI/USD" = "1"
"COIN/USD" = "2"
"""
_KEYS = """\
genesis_hash = "any"
poll_seconds = 1
start_block = 0
reorg_limit = 40
"""
_OWN = {
    "ethereum": 'confirmations = 4\ntraces = "required"\n',
    "polygon": "confirmations = 6\nfinality_depth = 24\n",
    "tron": 'confirmations = "finalized"\nsecond_source = "required"\n'
    'tokens = [{ symbol = "COIN", address = "1000002", decimals = 6 }]\n',
}
