"""Nodes on which somebody attacks: a real EVM with the toy contracts, and the embedded ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import SecretStr

from chains.base import ChainClient, ClientOptions, NetworkSpec
from chains.ethereum import ETHEREUM
from chains.evm.balances import MULTICALL
from chains.evm.client import EvmClient
from chains.evm.rules import ETHEREUM_RULES
from chains.evm.worker import read_here as read_evm
from chains.polygon import POLYGON, RULES
from chains.sandbox.control import Way
from chains.sandbox.evm.contracts import word
from chains.sandbox.evm.node import EvmNode
from chains.sandbox.evm.orders import Order
from chains.sandbox.evm.payments import order_of
from chains.sandbox.tron.node import TronNode
from chains.tron import TRON
from chains.tvm.client import TronClient
from chains.tvm.client import read_here as read_tron
from tests.anvil import Anvil
from tests.chains.sandbox import evm, tron
from tests.multicall import MULTICALL_CODE
from watcher.domain.money import Address, Asset
from watcher.settings import Endpoint, NetworkSettings, Token

ATTACKER, CUSTOMER = 0, 1  # accounts of anvil


class Node(Protocol):
    """One network's node, or several that say the same."""

    @property
    def spec(self) -> NetworkSpec: ...
    @property
    def victim(self) -> Address:
        """Where the invoice is to be paid that is attacked."""

    @property
    def honest(self) -> Address:
        """Where one is to be paid that is not."""

    def settings(self, **keys: Any) -> NetworkSettings:
        """How to reach it; `keys` are those of the network, and `urls` other than its own."""

    def client(self, options: ClientOptions) -> ChainClient:
        """The network's own, reading in this process."""

    def pay(self, units: int, asset: Asset, to: Address, way: Way = "plain", **more: Any) -> str:
        """Order it for the next block; the transaction as nodes write it, "" if it has none yet."""

    def hold(self, units: int, asset: Asset, address: Address) -> None:
        """Let an address have so much of a token from now on, and no transaction says why."""

    def mine(self, blocks: int = 1) -> None: ...
    def head(self) -> str:
        """The newest block, as deposits name it."""


class AnvilNode:
    """A real EVM as Ethereum, upon which the toy contracts stand."""

    spec, victim, honest = ETHEREUM, evm.SHOP, evm.OTHER

    def __init__(self, anvil: Anvil) -> None:
        self.anvil, self.urls = anvil, [anvil.url]
        for address, toy in evm.ethereum_flavour().contracts.items():
            anvil.set_code(address, MULTICALL_CODE if address == MULTICALL else toy.code)

    def settings(self, **keys: Any) -> NetworkSettings:
        return private(**{"urls": self.urls, **keys})

    def client(self, options: ClientOptions) -> ChainClient:
        return evm_client(ETHEREUM, options)

    def pay(self, units: int, asset: Asset, to: Address, way: Way = "plain", **more: Any) -> str:
        sender = CUSTOMER if to == self.honest else ATTACKER
        return self.send(order_of(way, asset.contract, to, units), more.get("sender", sender))

    def hold(self, units: int, asset: Asset, address: Address) -> None:
        assert asset.contract is not None
        slot = f"0x{word(address)}"  # where the toy tokens keep a balance
        self.anvil.rpc("anvil_setStorageAt", asset.contract, slot, f"0x{word(units)}")

    def send(self, order: Order, sender: int = ATTACKER) -> str:
        """Offer any call for the next block."""
        data = f"0x{order.data.hex()}"
        return self.anvil.send(order.to, order.value, sender=sender, data=data)

    def mine(self, blocks: int = 1) -> None:
        self.anvil.mine(blocks)

    def head(self) -> str:
        return self.anvil.hash(self.anvil.number())


@dataclass
class Embedded:
    """Embedded nodes of one network; told the same, they make the same chain."""

    nodes: tuple[EvmNode, ...] | tuple[TronNode, ...]
    spec: NetworkSpec
    open_client: Callable[[NetworkSpec, ClientOptions], ChainClient]
    victim: Address
    honest: Address
    keys: dict[str, Any] = field(default_factory=dict)
    """Of the network's configuration."""

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes]

    def settings(self, **keys: Any) -> NetworkSettings:
        first = self.nodes[0].chain.block(0)
        assert first is not None
        return private(**{"urls": self.urls, "genesis_hash": first.hash, **self.keys, **keys})

    def client(self, options: ClientOptions) -> ChainClient:
        return self.open_client(self.spec, options)

    def pay(self, units: int, asset: Asset, to: Address, way: Way = "plain", **more: Any) -> str:
        order = {"to": to, "units": str(units), "contract": asset.contract, "way": way, **more}
        first, *others = [node.take("sandbox_pay", order) for node in self.nodes]
        assert all(other == first for other in others)
        return str(first or "")

    def hold(self, units: int, asset: Asset, address: Address) -> None:
        order = {"address": address, "units": str(units), "contract": asset.contract}
        for node in self.nodes:
            node.take("sandbox_hold", order)

    def mine(self, blocks: int = 1) -> None:
        for node in self.nodes:
            node.mine(blocks)

    def head(self) -> str:
        hashes = {node.chain.head.hash.removeprefix("0x") for node in self.nodes}
        [hash] = hashes
        return hash


def on_ethereum(*nodes: EvmNode) -> Embedded:
    return Embedded(nodes, ETHEREUM, evm_client, evm.SHOP, evm.OTHER)


def on_polygon(*nodes: EvmNode, victim: Address = evm.SHOP) -> Embedded:
    keys = {"finality_depth": 1}
    return Embedded(nodes, POLYGON, evm_client, victim, evm.OTHER, keys)


def on_tron(*nodes: TronNode) -> Embedded:
    """Nodes of Tron, where a TRC-10 token is listed, too."""
    coin = Token(symbol="COIN", address=str(tron.COIN.contract), decimals=tron.COIN.decimals)
    keys = {"tokens": [coin], "chain_id": nodes[0].chain.chain_id}
    return Embedded(nodes, TRON, tron_client, tron.SHOP, tron.OTHER, keys)


def evm_client(spec: NetworkSpec, options: ClientOptions) -> ChainClient:
    return EvmClient(spec, options, RULES if spec is POLYGON else ETHEREUM_RULES, read=read_evm)


def tron_client(spec: NetworkSpec, options: ClientOptions) -> ChainClient:
    return TronClient(spec, options, read=read_tron)


def private(urls: list[str], **keys: Any) -> NetworkSettings:
    """Endpoints a, b, … of a private chain, where three blocks confirm."""
    endpoints = [
        Endpoint(name=name, url=SecretStr(url)) for name, url in zip("abc", urls, strict=False)
    ]
    usual = {"genesis_hash": "any", "confirmations": 3, "poll_seconds": 1, "start_block": 0}
    return NetworkSettings(endpoints=endpoints, **{**usual, **keys})
