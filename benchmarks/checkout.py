"""How soon a change reaches every open checkout page of a process, and what the pages cost.

    python -m benchmarks.checkout [--pages 1000]

Both engines. The pages are opened by another process over loopback, each on an invoice of its own
that waits for confirmations. Then blocks are mined: each is news for every page at once. The delay
is from before the follower sees a block to the arrival of what a page is told of it. The memory is
what this process grew by as the pages were opened, by page.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import time
from multiprocessing.connection import Connection

import aiohttp

from benchmarks.harness import databases
from storage import close, open_engine
from tests.api.shop import USDT, Shop, make_policy, open_shop, serve
from tests.factories import make_transfer
from watcher.api import Access
from watcher.domain.money import Address
from watcher.web import live

BLOCKS = 5
DEADLINE_SECONDS = 60


def main() -> int:
    """Print delays and memory by engine; 1 where a page was not told in time."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=1000)
    pages = parser.parse_args().pages
    live.MOST_PER_ADDRESS = pages  # all of them are at one address here
    with databases("checkout") as urls:
        for engine, (url,) in urls.items():
            delays, memory = asyncio.run(measure(url, pages))
            p50, p99 = (statistics.quantiles(delays, n=100)[i - 1] * 1000 for i in (50, 99))
            told = f"{len(delays)} updates of {pages * BLOCKS}"
            print(
                f"{engine:<10}  {told}  p50 {p50:.0f} ms  p99 {p99:.0f} ms  {memory:.0f} KB a page"
            )
            if len(delays) < pages * BLOCKS:
                return 1
    return 0


async def measure(url: str, pages: int) -> tuple[list[float], float]:
    """Seconds from a commit to a page, for each, and kilobytes a page."""
    engine = open_engine(url)
    # More confirmations than blocks: no event comes between, each block is the only news.
    ethereum = {**make_policy_sections(), "confirmations": 100}
    policy = make_policy(networks={"ethereum": ethereum})
    async with serve(engine, policy, access=Access(10**6, 10**6)) as http:
        shop = await open_shop(engine, policy, http)
        ids = await open_invoices(shop, pages)
        before = resident()
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        readers = multiprocessing.get_context("spawn").Process(
            target=read_pages, args=(str(http.make_url("/pay/")), ids, theirs), daemon=True
        )
        readers.start()
        await asyncio.to_thread(ours.recv)  # all are open
        memory = (resident() - before) / pages
        delays = [each for _ in range(BLOCKS) for each in await one_block(shop, ours)]
        ours.send(None)
        await asyncio.to_thread(readers.join)
    await close(engine)
    return delays, memory


def make_policy_sections() -> dict[str, object]:
    """The one network of the shop."""
    endpoint = {"name": "own", "url": "http://127.0.0.1:1"}
    return {"endpoints": [endpoint], "start_block": 0, "assets": ["ETH", "USDT", "DAI"]}


async def open_invoices(shop: Shop, number: int) -> list[str]:
    """So many, each with its money on the way."""
    await shop.pass_time(0)
    made = [await shop.create(methods=[USDT]) for _ in range(number)]
    to = [Address(each["quotes"][0]["address"].lower()) for each in made]
    payments = [make_transfer(10_000_000, USDT, each, tx=each) for each in to]
    shop.chain.mine(*payments)
    await shop.follow()
    return [each["id"] for each in made]


async def one_block(shop: Shop, readers: Connection) -> list[float]:
    """How long each page took to hear of one more confirmation."""
    begun = time.time()
    await shop.mine()
    heard: list[float] = await asyncio.to_thread(readers.recv)
    return [at - begun for at in heard]


def resident() -> float:
    """Kilobytes of memory that this process holds."""
    with open("/proc/self/status") as file:
        [line] = [line for line in file if line.startswith("VmRSS:")]
    return float(line.split()[1])


def read_pages(url: str, ids: list[str], parent: Connection) -> None:
    """Another process: open all pages, then tell of each round when each heard."""
    asyncio.run(_read_pages(url, ids, parent))


async def _read_pages(url: str, ids: list[str], parent: Connection) -> None:
    heard: asyncio.Queue[float] = asyncio.Queue()
    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        tasks = [asyncio.create_task(_read_page(session, f"{url}{id}", heard)) for id in ids]
        await _round(heard, len(ids))
        parent.send(True)
        for _ in range(BLOCKS):
            parent.send(await _round(heard, len(ids)))
        await asyncio.to_thread(parent.recv)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _round(heard: asyncio.Queue[float], number: int) -> list[float]:
    times: list[float] = []
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(times) < number:
                times.append(await heard.get())
    except TimeoutError:
        print(f"only {len(times)} of {number} heard", file=sys.stderr)
    return times


async def _read_page(session: aiohttp.ClientSession, url: str, heard: asyncio.Queue[float]) -> None:
    async with session.get(f"{url}/events") as response:
        async for line in response.content:
            if line.startswith(b"data: "):
                heard.put_nowait(time.time())
                json.loads(line.removeprefix(b"data: "))


if __name__ == "__main__":
    sys.exit(main())
