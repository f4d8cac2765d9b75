"""How long the API takes to answer while the daemon catches up, beside when it is idle.

    python -m benchmarks.api_latency [--blocks 300]

The real daemon with its worker process, on SQLite, follows three networks at once, each before an
embedded node in a process of its own with blocks of 100 payments to strangers. One client reads one
invoice again and again; in the same run first while all three catch up from the first block, then
when they have arrived. The 99th percentile during the catch-up is at most 10 times that of idle.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from benchmarks.harness import Daemon, migrated
from benchmarks.harness.cost import percentiles
from benchmarks.harness.nodes import NAMES, Made, NodeProcess
from chains.ethereum import EVM
from tests.real.shop import TOKEN, until
from watcher.daemon.sandbox import XPUBS

PAYMENTS = 100  # in each block
IDLE_SECONDS = 5.0
MOST_TIMES = 10.0
COMMAND_SECONDS, CATCH_UP_SECONDS = 60, 240.0


def main() -> int:
    """Print both distributions and their ratio; 1 where the bound is broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--blocks", type=int, default=300)
    blocks = parser.parse_args().blocks
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        made = Made(blocks, 1, PAYMENTS)
        nodes = {name: stack.enter_context(NodeProcess(name, made)).url for name in NAMES}
        database = f"sqlite:///{folder}/watcher.db"
        asyncio.run(migrated(database))
        daemon = Daemon(folder, database, nodes.pop("ethereum"), nodes, reorg_limit=128)
        key = open_shop(daemon)
        with daemon:
            busy, idle, rate = asyncio.run(measure(daemon, key, blocks))
    print(f"{'':<9}  answers  p50 ms  p99 ms  worst ms")
    for what, times in (("catch-up", busy), ("idle", idle)):
        said = "  ".join(f"{1000 * each:6.2f}" for each in (*percentiles(times), max(times)))
        print(f"{what:<9}  {len(times):>7}  {said}")
    ratio = percentiles(busy)[1] / percentiles(idle)[1]
    print(f"catch-up of three networks at {rate:.0f} blocks/s; p99 {ratio:.1f} times that of idle")
    return 0 if ratio <= MOST_TIMES else 1


def open_shop(daemon: Daemon) -> str:
    """A merchant with a wallet; returns its API key."""
    merchant = command(daemon, "merchant", "add", "Shop")["id"]
    command(
        daemon, "wallet", "add", "--merchant", merchant, "--family", "evm", "--xpub", XPUBS[EVM]
    )
    return str(command(daemon, "key", "add", "--merchant", merchant)["key"])


def command(daemon: Daemon, *words: str) -> Any:
    """The JSON that a command prints."""
    line = [sys.executable, "-m", "watcher", "--config", str(daemon.config), *words, "--json"]
    done = subprocess.run(line, stdout=subprocess.PIPE, check=True, timeout=COMMAND_SECONDS)
    return json.loads(done.stdout)


async def measure(daemon: Daemon, key: str, blocks: int) -> tuple[list[float], list[float], float]:
    """Seconds of each answer during catch-up and when idle, and blocks a second."""
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(daemon.url, headers=headers) as session:
        order = {"price": {"amount": "1", "currency": "ETH"}, "methods": ["ethereum:eth"]}
        async with session.post("/v1/invoices", json=order) as created:
            path = f"/v1/invoices/{(await created.json())['id']}"
        started, first = time.perf_counter(), sum(await tips(session))
        arrival = asyncio.create_task(arrive(session, blocks))
        busy = []
        while not arrival.done():
            busy.append(await answer(session, path))
        rate = (blocks * len(NAMES) - first) / (await arrival - started)
        idle = []
        end = time.perf_counter() + IDLE_SECONDS
        while time.perf_counter() < end:
            idle.append(await answer(session, path))
    return busy, idle, rate


async def answer(session: aiohttp.ClientSession, path: str) -> float:
    """Seconds until the whole invoice is here."""
    start = time.perf_counter()
    async with session.get(path) as response:
        assert response.status == 200
        await response.read()
    return time.perf_counter() - start


async def arrive(session: aiohttp.ClientSession, head: int) -> float:
    """When the daemon's tips were seen to be the heads."""

    async def is_there() -> bool:
        return min(await tips(session)) >= head

    await until(is_there, "the heads", CATCH_UP_SECONDS)
    return time.perf_counter()


async def tips(session: aiohttp.ClientSession) -> list[int]:
    """The daemon's newest block of each network; 0 before its first."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with session.get("/admin/status", headers=headers) as response:
        networks = (await response.json())["networks"]
    return [(each["tip"] or {}).get("number") or 0 for each in networks]


if __name__ == "__main__":
    sys.exit(main())
