"""How fast a Tron block of 300 transactions is fetched, proven and searched.

    python -m benchmarks.tron

From a server in its own process on loopback, with true hashes and a true signature; half of the
transactions pay TRX, half call a listed token. In blocks per second and milliseconds of CPU time
of the client's process per block, 4 blocks in flight:

fetch   both answers, nothing read of them
prove   both answers, decoded, proven and searched within this very process
client  `TronClient.block`: the same in the shared worker process

ratio is the blocks per second beside those of fetch. The three take turns, so that a busy machine
slows them alike; medians.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection

from chains.base import ClientOptions, EndpointSettings
from chains.http import Connection as HttpConnection
from chains.tron import TRON
from chains.tvm.address import raw
from chains.tvm.client import TronClient, read_here
from tests.chains.tvm.made import NUMBER, make_answers, make_log, transfer, trigger
from tests.javatron import BLOCK, INFOS, JavaTron, says
from watcher.domain.blocks import Hash

TRANSACTIONS, BLOCKS, IN_FLIGHT, ROUNDS = 300, 40, 4, 7
Work = Callable[[], Awaitable[object]]


def main() -> None:
    """Print one line per way."""
    ours, theirs = get_context("spawn").Pipe()
    server = get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        url, genesis, size = ours.recv()
        print(f"a block of {TRANSACTIONS} transactions, {size} bytes in two answers")
        asyncio.run(measure(url, genesis))
    finally:
        ours.send(None)
        server.join(5)


def serve(pipe: Connection) -> None:
    """Serve the block at every number until told to stop."""

    async def run() -> None:
        token = TRON.assets[1].contract
        assert token is not None
        log = {"log": [make_log(address=f"41{raw(token).hex()}")]}
        pairs = [
            (trigger(nonce=index), log) if index % 2 else (transfer(nonce=index), {})
            for index in range(TRANSACTIONS)
        ]
        answers = make_answers(*pairs)
        zero = json.loads(make_answers(number=0, txTrieRoot="00" * 32).block)
        async with JavaTron([zero], [[]]) as node:
            node.fail(says(answers.block.decode()), BLOCK, number=NUMBER)
            node.fail(says(answers.infos.decode()), INFOS, number=NUMBER)
            pipe.send((node.url, zero["blockID"], len(answers.block) + len(answers.infos)))
            await asyncio.to_thread(pipe.recv)

    asyncio.run(run())


async def measure(url: str, genesis: str) -> None:
    """Time the three ways in turns."""
    settings = EndpointSettings("a", url)
    options = ClientOptions([settings], TRON.assets, TRON.chain_id, Hash(genesis))
    here, apart = TronClient(TRON, options, read=read_here), TronClient(TRON, options)
    bare = HttpConnection(settings)
    asked = json.dumps({"num": NUMBER}).encode()

    async def fetch() -> None:
        await bare.post(asked, BLOCK)
        await bare.post(asked, INFOS)

    ways: dict[str, Work] = {
        "fetch": fetch,
        "prove": lambda: here.block(NUMBER),
        "client": lambda: apart.block(NUMBER),
    }
    found = await apart.block(NUMBER)
    assert found is not None
    assert len(found.transfers) == TRANSACTIONS
    rounds = [{name: await rate(work) for name, work in ways.items()} for _ in range(ROUNDS)]
    for client in (here, apart, bare):
        await client.close()
    base = statistics.median(each["fetch"][0] for each in rounds)
    for name in ways:
        speed, cpu = (statistics.median(each[name][i] for each in rounds) for i in (0, 1))
        print(f"{name:>7}  {speed:7.1f} blocks/s  {cpu:6.2f} ms CPU  ratio {speed / base:4.2f}")


async def rate(work: Work) -> tuple[float, float]:
    """Blocks per second, and milliseconds of this process's CPU time per block."""
    left = iter(range(BLOCKS))

    async def one_after_another() -> None:
        for _ in left:
            await work()

    start, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one_after_another() for _ in range(IN_FLIGHT)))
    spent = (time.process_time() - cpu) * 1000 / BLOCKS
    return BLOCKS / (time.perf_counter() - start), spent


if __name__ == "__main__":
    main()
