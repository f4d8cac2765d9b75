"""Catching up with 1,000 blocks of an embedded node, end to end, into each database.

    python -m benchmarks.catch_up [--blocks 1000]

For each network a node in a process of its own has that many blocks, every tenth with a payment,
each to an open invoice of its own. In the same run, one after the other, 8 blocks at a time:

fetch       the bytes of both answers, nothing read of them: what no watcher can beat
proven      by the real client, proven in its worker process, and forgotten
sqlite, …   the real thing: followed from the first block, and the books checked in the end

CPU is that of the following process and of its worker, not of the node or of PostgreSQL.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import structlog

import storage
from benchmarks.harness import databases
from benchmarks.harness.cost import Cost, Meter
from benchmarks.harness.fetch import Fetch
from benchmarks.harness.nodes import NAMES, UNITS, Made, NodeProcess, open_client, payee, spec_of
from storage import Engine
from tests.factories import make_invoice, make_quote
from tests.world import catch_up, make_policy, open_shop
from watcher.domain.deposits import DepositRules
from watcher.domain.money import Network
from watcher.follower import Follower
from watcher.policy import Policy

EVERY, IN_FLIGHT = 10, 8
FAR = 2**35  # a deadline that no chain here reaches


def main() -> None:
    """Measure every network on both engines."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.catch_up", description=__doc__)
    parser.add_argument("--blocks", type=int, default=1000)
    made = Made(parser.parse_args().blocks, EVERY, 1)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # quiet
    print(f"{'network':10} {'':12} {'blocks/s':>9} {'CPU ms':>7} {'of fetch':>9} {'of proven':>10}")
    with databases(*NAMES) as urls:
        for place, name in enumerate(NAMES):
            with NodeProcess(name, made) as node:
                asyncio.run(measure(name, node.url, made, {e: urls[e][place] for e in urls}))


async def measure(name: str, url: str, made: Made, databases: dict[str, str]) -> None:
    """Print one line per way; they run one after the other."""
    ways: dict[str, Callable[[], Awaitable[Cost]]] = {
        "fetch": partial(only_fetched, name, url, made),
        "proven": partial(only_proven, name, url, made),
        **{engine: partial(stored, name, url, made, each) for engine, each in databases.items()},
    }
    found: dict[str, Cost] = {}
    for way, work in ways.items():
        found[way] = cost = await work()
        speed = cost.blocks_per_second
        of_fetch = speed / found["fetch"].blocks_per_second
        of_proven = (
            f"{speed / found['proven'].blocks_per_second:10.0%}" if "proven" in found else ""
        )
        line = f"{name:10} {way:12} {speed:9.0f} {cost.cpu_ms:7.2f} {of_fetch:9.0%} {of_proven}"
        print(line, flush=True)


async def only_fetched(name: str, url: str, made: Made) -> Cost:
    """Every block's bytes."""
    fetch = Fetch(name, url)
    try:
        return await each_block(fetch.block, made.blocks)
    finally:
        await fetch.close()


async def only_proven(name: str, url: str, made: Made) -> Cost:
    """Every block, proven."""
    client = open_client(name, url)
    try:
        return await each_block(client.block, made.blocks)
    finally:
        await client.close()


async def each_block(work: Callable[[int], Awaitable[object]], blocks: int) -> Cost:
    """What it costs to do that with all blocks but the first, which comes before."""
    await work(0)
    meter = await Meter.start()
    numbers = iter(range(1, blocks + 1))

    async def one_after_another() -> None:
        for number in numbers:
            assert await work(number)

    await asyncio.gather(*(one_after_another() for _ in range(IN_FLIGHT)))
    return await meter.cost(blocks)


async def stored(name: str, url: str, made: Made, database: str) -> Cost:
    """The real thing."""
    client, engine = open_client(name, url), storage.open_engine(database)
    try:
        await open_invoices(engine, name, made.paid)
        follower = Follower(policy_of(name), Network(name), client, engine, "benchmark:1")
        await follower.turn()  # the worker, the first block
        meter = await Meter.start()
        await catch_up(follower, turns=100_000)
        cost = await meter.cost(made.blocks)
        async with storage.read(engine) as conn:
            tip = await storage.blocks.tip(conn, Network(name))
            counts = await storage.deposits.counts(conn)
        assert tip is not None
        assert tip.number == made.blocks
        assert sum(counts.values()) == made.paid
        return cost
    finally:
        await client.close()
        await storage.close(engine)


def policy_of(name: str) -> Policy:
    """A shop on this network, from its block 0, with 3 confirmations."""
    spec = spec_of(name)
    plain = make_policy((spec.name,))
    network = replace(
        plain.networks[spec.name],
        spec=spec,
        assets={asset.method: asset for asset in spec.assets},
        rules=DepositRules(3),
        reorg_limit=spec.reorg_limit,
    )
    return replace(plain, networks={spec.name: network})


async def open_invoices(engine: Engine, name: str, count: int) -> None:
    """As many invoices as there are payments, each to be paid by one of them."""
    spec = spec_of(name)
    coin = spec.assets[0]
    quote = make_quote(UNITS, coin.method, decimals=coin.decimals)
    await open_shop(
        engine,
        *(
            make_invoice(
                quotes=[quote],
                key=str(place),
                addresses={spec.family: payee(spec.family, place)},
                expires_at=FAR,
            )
            for place in range(count)
        ),
    )


if __name__ == "__main__":
    main()
