"""Embedded nodes, each in a process of its own, with chains that are mined before it answers.

python -m benchmarks.harness.nodes ethereum --blocks 1000 --every 10 --payments 1
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from chains import NETWORKS
from chains.base import ChainClient, ClientOptions, EndpointSettings, NetworkSpec
from chains.sandbox.control import Pay
from chains.sandbox.evm import payments as evm_payments
from chains.sandbox.evm.flavour import ethereum
from chains.sandbox.evm.node import EVM_KIND
from chains.sandbox.evm.polygon import polygon
from chains.sandbox.node import Kind, Node, open_node
from chains.sandbox.tron import payments as tron_payments
from chains.sandbox.tron.flavour import tron
from chains.sandbox.tron.node import TRON_KIND
from chains.tvm.address import text
from watcher.domain.money import Address, Family, Network

NAMES = ("ethereum", "polygon", "tron")
UNITS = 1_000
LONG_AGO = 1_700_000_000
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Made:
    """What a chain holds: in each `every`th block so many payments of UNITS of the coin."""

    blocks: int
    every: int
    payments: int

    @property
    def paid(self) -> int:
        """How many payments there are, each to an address of its own: 0, 1, …"""
        return -(-self.blocks // self.every) * self.payments


def spec_of(name: str) -> NetworkSpec:
    return NETWORKS[Network(name)]


def open_client(name: str, url: str) -> ChainClient:
    """A client that lists all that the network's specification does."""
    spec = spec_of(name)
    options = ClientOptions([EndpointSettings("node", url)], spec.assets, spec.chain_id, None)
    return spec.open_client(spec, options)


def payee(family: Family, place: int) -> Address:
    """The address that payment number `place` goes to."""
    content = (0xA1 << 152 | place).to_bytes(20)
    return text(content) if family == "tron" else Address(f"0x{content.hex()}")


def pay(node: Node[Any, Any], to: Address) -> None:
    """Order a payment of UNITS of the coin for the next block."""
    order = Pay(to=to, units=str(UNITS))
    if node.chain.flavour.chain == "tron":
        tron_payments.pay(node.chain, order)
    else:
        evm_payments.pay(node.chain, order)


def open_embedded(
    name: str,
    wall: Callable[[], float],
    change: Callable[[Kind[Any, Any]], Kind[Any, Any]] = lambda kind: kind,
) -> AbstractAsyncContextManager[Node[Any, Any]]:
    """A network's node in this process; `change` may put something before its door."""
    spec = spec_of(name)
    kind: Kind[Any, Any]
    flavour: Any
    if spec.family == "tron":
        kind, flavour = TRON_KIND, tron(spec.assets)
    else:
        kind = EVM_KIND
        flavour = (ethereum if name == "ethereum" else polygon)(spec.chain_id, spec.assets)
    return open_node(change(kind), flavour, wall=wall)


class NodeProcess:
    """A node in a process of its own; ended by leaving the context."""

    def __init__(self, name: str, made: Made) -> None:
        words = ["--blocks", made.blocks, "--every", made.every, "--payments", made.payments]
        command = [sys.executable, "-m", "benchmarks.harness.nodes", name, *map(str, words)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self.url = ""

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)


async def serve(name: str, made: Made) -> None:
    """Mine, say where we are, and answer until we are ended."""
    family = spec_of(name).family
    async with open_embedded(name, lambda: LONG_AGO) as node:
        place = 0
        for number in range(made.blocks):
            for _ in range(made.payments if number % made.every == 0 else 0):
                pay(node, payee(family, place))
                place += 1
            node.mine()
        print(node.url, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.harness.nodes")
    parser.add_argument("name", choices=NAMES)
    for each in ("blocks", "every", "payments"):
        parser.add_argument(f"--{each}", type=int, required=True)
    chosen = parser.parse_args()
    asyncio.run(serve(chosen.name, Made(chosen.blocks, chosen.every, chosen.payments)))


if __name__ == "__main__":
    main()
