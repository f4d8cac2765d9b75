"""What watching a million addresses costs: memory, look-ups, and calls to the node.

    python -m benchmarks.addresses [--many 1000000]

lookup  milliseconds to find a block's 400 recipients among the assigned addresses, two of them
        ours; median, at most 3 times that at 1,000 addresses
memory  resident, of a daemon that has followed a local node to its head, beside one with 10
        addresses; at most 20 MB more
calls   per connected block, which are 2, and at the start; polls at the head apart
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from aiohttp import web
from sqlalchemy import text

import storage
from benchmarks.harness import Daemon, databases
from storage import Engine
from tests.anvil import Anvil
from tests.factories import FAMILY, NETWORK, make_hash, make_id, make_invoice
from tests.proxy import Call, Proxy
from tests.real.shop import FAR, TOKEN, until
from tests.world import open_shop
from watcher.domain.money import Address

FEW, SOME = 10, 1000
RECIPIENTS, ROUNDS, BLOCKS = 400, 60, 50
MOST_TIMES, MOST_BYTES = 3.0, 20 * 10**6

COLUMNS = 'family, address, wallet_id, invoice_id, "index", assigned_at'
# Scattered over the index, as real addresses are.
FILL = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) "
    f"INSERT INTO addresses ({COLUMNS}) SELECT :family, "
    "printf('0x%08x%032x', i * 2654435761 % 4294967296, i), :wallet, :invoice, i, 0 FROM n",
    "postgresql": f"INSERT INTO addresses ({COLUMNS}) SELECT :family, "
    "'0x' || lpad(to_hex(i * 2654435761 % 4294967296), 8, '0') || lpad(to_hex(i), 32, '0'), "
    ":wallet, :invoice, i, 0 FROM generate_series(1, CAST(:count AS bigint)) AS i",
}


@dataclass(frozen=True, slots=True)
class Run:
    """What one daemon took, from its start to the node's head."""

    resident: int
    per_block: float
    at_start: Counter[str]


def main() -> int:
    """Print three tables; 1 where a bound is broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--many", type=int, default=1_000_000)
    many = parser.parse_args().many
    counts = {"few": FEW, "some": SOME, "many": many}
    with databases(*(f"with_{name}" for name in counts)) as urls:
        good = True
        print(f"{'lookup':<10}  at {SOME:,}  at {many:,}  ratio")
        for engine, of_engine in urls.items():
            good &= asyncio.run(compare_lookups(engine, of_engine, list(counts.values())))
        few, _, filled = urls["sqlite"]
        runs = {count: asyncio.run(follow(url)) for count, url in ((FEW, few), (many, filled))}
    print(f"\n{'addresses':>10}  resident MB  calls per block  calls at start")
    for count, run in runs.items():
        said = f"{run.resident / 1e6:11.1f}  {run.per_block:15.2f}  {run.at_start.total():>14}"
        print(f"{count:>10,}  {said}")
    grown = runs[many].resident - runs[FEW].resident
    good &= grown < MOST_BYTES and runs[many].at_start == runs[FEW].at_start
    good &= all(run.per_block == 2 for run in runs.values())
    print("within all bounds" if good else "A BOUND IS BROKEN")
    return 0 if good else 1


async def compare_lookups(engine: str, urls: list[str], counts: list[int]) -> bool:
    """Fill all databases of an engine; measure the last two in turns."""
    opened = [storage.open_engine(url) for url in urls]
    for each, count in zip(opened, counts, strict=True):
        await fill(each, count)
    _, some, many = opened
    rounds = [(await lookup(some), await lookup(many)) for _ in range(ROUNDS)]
    small, large = (1000 * statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{engine:<10}  {small:8.2f}  {large:12.2f}  {large / small:5.2f}", flush=True)
    for each in opened:
        await storage.close(each)
    return large / small <= MOST_TIMES


async def fill(engine: Engine, count: int) -> None:
    """Assign `count` addresses, all to one invoice, which nothing here makes anyone load."""
    await open_shop(engine, make_invoice(expires_at=FAR))
    facts = {"count": count, "family": FAMILY, "wallet": make_id("wal"), "invoice": make_id("inv")}
    async with storage.write(engine) as conn:
        if engine.dialect.name == "postgresql":  # a million checks of foreign keys take a minute
            await conn.execute(text("SET LOCAL session_replication_role = replica"))
        await conn.execute(text(FILL[engine.dialect.name]), facts)
        await conn.execute(text("ANALYZE"))


async def lookup(engine: Engine) -> float:
    """Seconds to pick ours from a block's recipients."""
    ours = [f"0x{i * 2654435761 % 2**32:08x}{i:032x}" for i in (7, 900)]
    recipients = {Address(f"0x{make_hash(f'r{n}')[:40]}") for n in range(RECIPIENTS - len(ours))}
    recipients |= {Address(each) for each in ours}
    async with storage.read(engine) as conn:
        start = time.perf_counter()
        found = await storage.addresses.watched(conn, NETWORK, FAMILY, recipients)
        elapsed = time.perf_counter() - start
    assert len(found) == len(ours)
    return elapsed


async def follow(database: str) -> Run:
    """Run a daemon up to the head of a fresh node, before which the calls are counted."""
    calls: list[tuple[str, list[object]]] = []

    async def note(call: Call) -> web.StreamResponse:
        calls.append((call.method, call.params))
        return call.reply(result=await call.ask())

    with TemporaryDirectory() as folder, Anvil() as anvil:
        anvil.mine(BLOCKS)
        async with Proxy(anvil.url) as proxy, aiohttp.ClientSession() as session:
            proxy.fail(note)
            daemon = Daemon(Path(folder), database, proxy.url)
            await asyncio.to_thread(daemon.__enter__)  # the proxy needs this loop
            try:
                await until(lambda: at_head(session, daemon.url), "the head")
                return count_calls(daemon.resident_bytes(), calls)
            finally:
                await asyncio.to_thread(daemon.__exit__)


async def at_head(session: aiohttp.ClientSession, url: str) -> bool:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with session.get(f"{url}/admin/status", headers=headers) as answer:
        [network] = (await answer.json())["networks"]
    tip = network["tip"]
    return bool(tip) and tip["number"] == BLOCKS


def count_calls(resident: int, calls: list[tuple[str, list[object]]]) -> Run:
    """Sort calls by what they were for."""
    numbers = [hex(number) for number in range(BLOCKS + 1)]
    polls = [["latest", False], [hex(BLOCKS + 1), True]]
    blocks, start = 0, Counter[str]()
    for method, params in calls:
        asked = params[0] if params else None
        if method == "eth_getBlockReceipts" or (asked in numbers and params[1:] == [True]):
            blocks += 1
        elif params not in polls:
            start[method] += 1
    return Run(resident, blocks / (BLOCKS + 1), start)


if __name__ == "__main__":
    sys.exit(main())
