"""How long the API takes to answer while the daemon catches up, beside when it is idle.

    python -m benchmarks.api_latency [--blocks 100]

The real daemon with its worker process, on SQLite, before a local node with blocks of 160 payments
each. One client reads one invoice again and again; in the same run first while the daemon catches
up from the first block, then when it has arrived. The 99th percentile during the catch-up is at
most 10 times that of idle.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from benchmarks.harness import Daemon, migrated
from chains.ethereum import EVM
from tests.anvil import Anvil
from tests.real.shop import TOKEN, until
from watcher.daemon.sandbox import XPUBS

TRANSACTIONS = 160
IDLE_SECONDS = 5.0
MOST_TIMES = 10.0
COMMAND_SECONDS = 60


def main() -> int:
    """Print both distributions and their ratio; 1 where the bound is broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--blocks", type=int, default=100)
    blocks = parser.parse_args().blocks
    with TemporaryDirectory() as name, Anvil() as anvil:
        folder = Path(name)
        for number in range(blocks):
            fill_block(anvil, number)
        database = f"sqlite:///{folder}/watcher.db"
        asyncio.run(migrated(database))
        daemon = Daemon(folder, database, anvil.url, reorg_limit=128)
        key = open_shop(daemon)
        with daemon:
            busy, idle, rate = asyncio.run(measure(daemon, key, blocks))
    print(f"{'':<9}  answers  p50 ms  p99 ms  worst ms")
    for what, times in (("catch-up", busy), ("idle", idle)):
        said = "  ".join(f"{1000 * each:6.2f}" for each in (*percentiles(times), max(times)))
        print(f"{what:<9}  {len(times):>7}  {said}")
    ratio = percentiles(busy)[1] / percentiles(idle)[1]
    print(f"catch-up at {rate:.0f} blocks/s; p99 {ratio:.1f} times that of idle")
    return 0 if ratio <= MOST_TIMES else 1


def fill_block(anvil: Anvil, before: int) -> None:
    """Mine a block of payments to as many strangers, after `before` others like it."""
    payers = len(anvil.accounts)
    payments = [
        {
            "from": anvil.accounts[place % payers],
            "nonce": hex((before * TRANSACTIONS + place) // payers),
            "to": f"0x{place + 2**32:040x}",
            "value": "0x1",
            "gas": hex(21_000),
        }
        for place in range(TRANSACTIONS)
    ]
    calls = [
        {"jsonrpc": "2.0", "id": place, "method": "eth_sendTransaction", "params": [payment]}
        for place, payment in enumerate(payments)
    ]
    content = {"Content-Type": "application/json"}
    request = urllib.request.Request(anvil.url, json.dumps(calls).encode(), content)
    with urllib.request.urlopen(request, timeout=30) as response:
        answers = json.load(response)
        assert all("result" in answer for answer in answers), answers
    anvil.mine()


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
        started, first = time.perf_counter(), await tip(session)
        arrival = asyncio.create_task(arrive(session, blocks))
        busy = []
        while not arrival.done():
            busy.append(await answer(session, path))
        rate = (blocks - first) / (await arrival - started)
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
    """When the daemon's tip was seen to be the head."""

    async def is_there() -> bool:
        return await tip(session) >= head

    await until(is_there, "the head")
    return time.perf_counter()


async def tip(session: aiohttp.ClientSession) -> int:
    """The daemon's newest block; 0 before its first."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with session.get("/admin/status", headers=headers) as response:
        [network] = (await response.json())["networks"]
    return network["tip"]["number"] or 0


def percentiles(times: list[float]) -> tuple[float, float]:
    """The 50th and the 99th."""
    cuts = statistics.quantiles(times, n=100)
    return cuts[49], cuts[98]


if __name__ == "__main__":
    sys.exit(main())
