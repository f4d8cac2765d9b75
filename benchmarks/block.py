"""Where the time of one real block goes, from the node's socket to the commit.

    python -m benchmarks.block [--realdata DIR]

For each recorded Ethereum block of 150 to 200 transactions, medians in milliseconds:

fetch   both calls over HTTP to a node on loopback in another process
decode  the two answers as typed messages
prove   every hash and root of them
find    the transfers of the native coin and two tokens
store   one transaction with that block alone, of which nothing is ours
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import storage
from benchmarks.harness import databases
from benchmarks.harness.replay import replaying
from benchmarks.proof import LISTING, recorded
from chains.base import EndpointSettings
from chains.evm.blocks import read_block
from chains.evm.messages import decode_block, decode_receipts
from chains.evm.proof import prove
from chains.evm.provider import FastHTTPProvider
from storage import Conn
from storage.leases import Lease
from tests.factories import make_ref
from tests.world import make_policy
from watcher import ledger
from watcher.domain.blocks import Block
from watcher.domain.money import Network

ROUNDS = 40
SIZES = range(150, 201)
ETHEREUM = Network("ethereum")


def main() -> None:
    """Print one line per block and engine."""
    parser = argparse.ArgumentParser()
    beside = Path(__file__).parent.parent.parent / "shared" / "realdata"
    parser.add_argument("--realdata", type=Path, default=os.environ.get("REALDATA", beside))
    folder = Path(parser.parse_args().realdata)
    blocks = [
        (number, block_json, receipts_json)
        for number, block_json, receipts_json in recorded(folder)
        if len(decode_block(block_json).transactions) in SIZES
    ]
    print("   block  engine       fetch  decode   prove    find   store")
    with databases(*(f"block_{number}" for number, _, _ in blocks)) as urls:
        for place, (number, block_json, receipts_json) in enumerate(blocks):
            read = asyncio.run(read_times(block_json, receipts_json))
            block = read_block(block_json, receipts_json, LISTING).block
            for engine, of_engine in urls.items():
                stored = asyncio.run(store_time(of_engine[place], block))
                times = "  ".join(f"{1000 * each:6.2f}" for each in (*read, stored))
                print(f"{number:>8}  {engine:<10}  {times}")


async def read_times(block_json: bytes, receipts_json: bytes) -> list[float]:
    """Seconds to fetch, decode, prove and find."""
    works: list[Callable[[], object]] = [
        lambda: (decode_block(block_json), decode_receipts(receipts_json)),
        lambda: prove(block_json, receipts_json),
        lambda: read_block(block_json, receipts_json, LISTING),
    ]
    rounds = []
    answers = {"eth_getBlockByNumber": block_json, "eth_getBlockReceipts": receipts_json}
    with replaying(answers) as url:
        node = FastHTTPProvider(EndpointSettings("node", url))
        for _ in range(ROUNDS):
            fetched = await awaited(lambda: fetch(node))
            rounds.append([fetched, *(seconds(work) for work in works)])
        await node.close()
    fetched, decoded, proven, found = map(statistics.median, zip(*rounds, strict=True))
    return [fetched, decoded, proven - decoded, found - proven]  # each holds the one before


async def fetch(node: FastHTTPProvider) -> None:
    await node.post("eth_getBlockByNumber", ["0x1", True])
    await node.post("eth_getBlockReceipts", ["0x2"])


async def store_time(url: str, block: Block) -> float:
    """Seconds of the transaction that connects a block of these transfers."""
    policy = make_policy((ETHEREUM,), reorg_limit=128)
    engine = storage.open_engine(url)
    async with storage.write(engine) as conn:
        lease = await storage.leases.acquire(conn, ETHEREUM, "benchmark", 600)
    assert lease is not None

    async def connect(number: int, held: Lease) -> None:
        new = Block(make_ref(number), block.transfers, block.size)

        async def work(conn: Conn) -> None:
            await ledger.connect_blocks(conn, policy, held, [new], None, 0)

        await storage.repeat(engine, work)

    times = [await awaited(lambda n=number: connect(n, lease)) for number in range(1, ROUNDS + 1)]
    await storage.close(engine)
    return statistics.median(times)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


async def awaited(work: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
