"""Catching up with 1,000 blocks of an embedded node, end to end, into each database.

    python -m benchmarks.catch_up [--blocks 1000]

For each network a node in a process of its own has that many blocks, every tenth with a payment to
an open invoice. The real client fetches and proves them (in its worker process) and the follower
stores them. Beside it, in the same run, the ceiling: the same blocks fetched and proven by the same
client, one after the other, and not stored. CPU is that of the following process, without worker.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

import storage
from benchmarks.harness import databases
from chains import NETWORKS
from chains.base import ChainClient, ClientOptions, EndpointSettings
from chains.sandbox.control import Pay
from chains.sandbox.evm import payments as evm_payments
from chains.sandbox.evm.flavour import ethereum
from chains.sandbox.evm.node import EVM_KIND
from chains.sandbox.evm.polygon import polygon
from chains.sandbox.node import open_node
from chains.sandbox.tron import payments as tron_payments
from chains.sandbox.tron.flavour import tron
from chains.sandbox.tron.node import TRON_KIND
from storage import Engine
from tests.factories import make_invoice, make_quote
from tests.world import catch_up, make_policy, open_shop, the_invoice
from watcher.domain.deposits import DepositRules
from watcher.domain.money import Address, Network
from watcher.follower import Follower
from watcher.policy import Policy

NAMES = ("ethereum", "polygon", "tron")
PAID_TO = {
    "evm": Address("0x" + "a1" * 20),
    "tron": Address("TWer2Ygk5TEheHp3TPuYeqxmB6SsGZmaL6"),
}
UNITS = 1_000
EVERY = 10
FAR = 2**35  # a deadline that no chain here reaches


@dataclass(frozen=True)
class Result:
    """One catch-up."""

    blocks_per_second: float
    cpu_ms_per_block: float


def main() -> None:
    """Measure every network on both engines, or be the node of one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.catch_up", description=__doc__)
    parser.add_argument("--blocks", type=int, default=1000)
    parser.add_argument("--serve", choices=NAMES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        asyncio.run(serve(chosen.serve, chosen.blocks))
        return
    quiet = structlog.make_filtering_bound_logger(50)
    structlog.configure(wrapper_class=quiet)
    print(f"{'network':10} {'into':12} {'blocks/s':>9} {'CPU ms':>7} {'of ceiling':>11}")
    with databases(*NAMES) as urls:
        for place, name in enumerate(NAMES):
            with Node(name, chosen.blocks) as url:
                ceiling = asyncio.run(only_proven(name, url, chosen.blocks))
                show(name, "nothing", ceiling, ceiling)
                for engine in ("sqlite", "postgresql"):
                    database = urls[engine][place]
                    show(name, engine, asyncio.run(stored(name, url, database)), ceiling)


def show(name: str, into: str, result: Result, ceiling: Result) -> None:
    share = result.blocks_per_second / ceiling.blocks_per_second
    speed, cpu = result.blocks_per_second, result.cpu_ms_per_block
    print(f"{name:10} {into:12} {speed:9.0f} {cpu:7.2f} {share:10.0%}", flush=True)


class Node:
    """An embedded node in a process of its own; its URL."""

    def __init__(self, name: str, blocks: int) -> None:
        self._command = [sys.executable, "-m", "benchmarks.catch_up"]
        self._command += ["--serve", name, "--blocks", str(blocks)]

    def __enter__(self) -> str:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
        )
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)


async def serve(name: str, blocks: int) -> None:
    """Mine, say where we are, and answer until we are ended."""
    spec = NETWORKS[Network(name)]
    order = Pay(to=PAID_TO[spec.family], units=str(UNITS))
    if spec.family == "tron":
        async with open_node(TRON_KIND, tron(spec.assets), wall=lambda: 1_700_000_000) as node:
            for number in range(blocks):
                if number % EVERY == 0:
                    tron_payments.pay(node.chain, order)
                node.mine()
            print(node.url, flush=True)
            await asyncio.sleep(3600)
    flavour = (ethereum if name == "ethereum" else polygon)(spec.chain_id, spec.assets)
    async with open_node(EVM_KIND, flavour, wall=lambda: 1_700_000_000) as other:
        for number in range(blocks):
            if number % EVERY == 0:
                evm_payments.pay(other.chain, order)
            other.mine()
        print(other.url, flush=True)
        await asyncio.sleep(3600)


def open_client(name: str, url: str) -> ChainClient:
    spec = NETWORKS[Network(name)]
    options = ClientOptions([EndpointSettings("node", url)], spec.assets, spec.chain_id, None)
    return spec.open_client(spec, options)


async def only_proven(name: str, url: str, blocks: int) -> Result:
    """The ceiling: every block fetched and proven, eight at a time, and forgotten."""
    client = open_client(name, url)
    try:
        await client.block(0)  # the worker has started
        started, cpu = time.perf_counter(), time.process_time()
        for first in range(1, blocks + 1, 8):
            numbers = range(first, min(first + 8, blocks + 1))
            found = await asyncio.gather(*(client.block(number) for number in numbers))
            assert all(found)
        return _result(blocks, started, cpu)
    finally:
        await client.close()


async def stored(name: str, url: str, database: str) -> Result:
    """The real thing; the books are checked in the end."""
    client, engine = open_client(name, url), storage.open_engine(database)
    try:
        policy = _policy(name)
        await _open_invoice(engine, name)
        follower = Follower(policy, Network(name), client, engine, "benchmark:1")
        await follower.turn()  # the worker, the first block
        started, cpu = time.perf_counter(), time.process_time()
        await catch_up(follower, turns=100_000)
        async with storage.read(engine) as conn:
            tip = await storage.blocks.tip(conn, Network(name))
        assert tip is not None
        result = _result(tip.number, started, cpu)
        paid = (await the_invoice(engine)).seen
        assert paid == -(-tip.number // EVERY), f"{paid} payments of {tip.number // EVERY}"
        return result
    finally:
        await client.close()
        await storage.close(engine)


def _policy(name: str) -> Policy:
    """A shop on this network, from its block 0, with 3 confirmations."""
    spec = NETWORKS[Network(name)]
    plain = make_policy((spec.name,))
    network = replace(
        plain.networks[spec.name],
        spec=spec,
        assets={asset.method: asset for asset in spec.assets},
        rules=DepositRules(3),
        reorg_limit=spec.reorg_limit,
    )
    return replace(plain, networks={spec.name: network})


async def _open_invoice(engine: Engine, name: str) -> None:
    spec = NETWORKS[Network(name)]
    coin = spec.assets[0]
    quote = make_quote(UNITS, coin.method, decimals=coin.decimals)
    addresses = {spec.family: PAID_TO[spec.family]}
    await open_shop(engine, make_invoice(quotes=[quote], addresses=addresses, expires_at=FAR))


def _result(blocks: int, started: float, cpu: float) -> Result:
    seconds, spent = time.perf_counter() - started, time.process_time() - cpu
    return Result(blocks / seconds, spent * 1000 / blocks)


if __name__ == "__main__":
    main()
