"""How fast webhooks leave, and how long after the commit, also beside a receiver that hangs.

    python -m benchmarks.webhooks [--deliveries 2000]

Both engines, one process, a receiver on loopback. Deliveries a second are of a backlog, beside bare
POSTs of the same body over as many connections in the same run. The delay is from the answer to the
request that made an event to its arrival: with nothing else waiting, and with 10,000 waiting for a
host that hangs, for which at most twice the idle p99 plus 100 ms are allowed. Last, how long it
takes to find whose turn it is among 131,072 that are due, and to take sixteen of them.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Sequence

import aiohttp
from sqlalchemy import insert, literal, select, text

import storage
from benchmarks.harness import databases
from storage import Engine, close, open_engine, schema
from tests.real.shop import until
from tests.webhooks.receiver import Call, Office, Receiver, delivering, multiply, open_office
from watcher.webhooks.crowding import PER_HOST

WAITING, SAMPLES = 10_000, 100
DOUBLINGS, HOSTS, TURNS = 17, 17, 15  # 2**17 are due
MOST_TIMES, MOST_MORE_MS = 2, 100


def main() -> int:
    """Print rates and delays; 1 where the bound is broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--deliveries", type=int, default=2000)
    number = parser.parse_args().deliveries
    broken = False
    with databases("backlog", "delays", "turns") as urls:
        for engine, (backlog, delays, turns) in urls.items():
            rate, bare = asyncio.run(measure_rate(backlog, number))
            print(f"{engine:<10}  {rate:>5.0f} deliveries/s, bare POSTs {bare:.0f}/s")
            idle, busy = asyncio.run(measure_delays(delays))
            for what, times in (("idle", idle), (f"{WAITING} waiting", busy)):
                p50, p99 = percentiles(times)
                print(f"{engine:<10}  {what:<14}  p50 {p50:>6.1f} ms  p99 {p99:>6.1f} ms")
            broken |= percentiles(busy)[1] > MOST_TIMES * percentiles(idle)[1] + MOST_MORE_MS
            finding, taking = asyncio.run(measure_turns(turns))
            what = f"{engine:<10}  {2**DOUBLINGS} due in {HOSTS} lanes"
            print(f"{what}  found in {finding:.1f} ms, taken in {taking:.1f} ms")
    return 1 if broken else 0


async def measure_turns(database_url: str) -> tuple[float, float]:
    """Milliseconds, medians, to find the lanes with work and to take what one may have."""
    engine = open_engine(database_url)
    async with open_office(engine) as office:
        await office.add()
        await office.shop.create()
    await double(engine)
    finding, taking = [], []
    for _ in range(TURNS):
        async with storage.write(engine) as conn:
            begun = time.perf_counter()
            lanes = await storage.lanes.due(conn, 2 * HOSTS)
            finding.append(time.perf_counter() - begun)
            fullest = next(lane for lane in lanes if lane[1] == host_of(DOUBLINGS - 1))
            begun = time.perf_counter()
            assert len(await storage.deliveries.take(conn, fullest, PER_HOST, 60)) == PER_HOST
            taking.append(time.perf_counter() - begun)
    await close(engine)
    return 1000 * statistics.median(finding), 1000 * statistics.median(taking)


async def double(engine: Engine) -> None:
    """Of the one delivery that there is make very many, each for itself."""
    table = schema.deliveries
    copied = [column for column in table.c if column.name not in ("id", "target", "host")]
    for turn in range(DOUBLINGS):
        host = host_of(turn)
        named = (table.c.id + f".{turn}", table.c.target + f".{turn}", literal(host))
        columns = ["id", "target", "host", *(column.name for column in copied)]
        async with storage.write(engine) as conn:
            new = insert(table).from_select(columns, select(*named, *copied))
            await conn.execute(new)
    async with storage.write(engine) as conn:
        await conn.execute(text("ANALYZE deliveries"))  # as autovacuum does in time


def host_of(turn: int) -> str:
    return f"host{turn % HOSTS}:443"


async def measure_rate(database_url: str, number: int) -> tuple[float, float]:
    """Deliveries of a backlog a second, and bare POSTs of the same body."""
    engine = open_engine(database_url)
    async with open_office(engine) as office:
        await office.add()
        await office.shop.create()
        await multiply(office, number - 1)
        begun = time.perf_counter()
        async with delivering(office):
            await until(lambda: arrived(office.receiver, number), "all arrive", 300)
            took = time.perf_counter() - begun
            await office.settled(60)
        bare = await post_bare(office, number)
    await close(engine)
    return number / took, bare


async def arrived(receiver: Receiver, number: int) -> bool:
    return len(receiver.calls) >= number


async def post_bare(office: Office, number: int) -> float:
    """POSTs a second over as many connections as a host gets."""
    body, url = office.receiver.calls[0].body, office.receiver.url("/bare")

    async def post(session: aiohttp.ClientSession) -> None:
        for _ in range(number // PER_HOST):
            async with session.post(url, data=body) as response:
                await response.read()

    async with aiohttp.ClientSession() as session:
        begun = time.perf_counter()
        await asyncio.gather(*(post(session) for _ in range(PER_HOST)))
        return number / (time.perf_counter() - begun)


async def measure_delays(database_url: str) -> tuple[list[float], list[float]]:
    """Seconds from commits to arrivals, when idle and beside a host that hangs."""
    engine = open_engine(database_url)
    async with open_office(engine) as office, Receiver() as hanging:
        hanging.manners["/hook"] = ["hang"]
        await office.shop.post("/v1/webhooks", {"url": hanging.url(), "events": ["deposit.*"]})
        await office.add(events=["invoice.*"])
        async with delivering(office):
            idle = await sample(office)
        await office.shop.create(methods=["ethereum:usdt"])
        await office.shop.pay()
        [lost] = await office.deliveries(webhook_id=await first_webhook(office))
        await multiply(office, WAITING, lost)
        async with delivering(office):
            busy = await sample(office)
    await close(engine)
    return idle, busy


async def first_webhook(office: Office) -> str:
    return str((await office.shop.get("/v1/webhooks")).body["data"][0]["id"])


async def sample(office: Office) -> list[float]:
    """The delays of some events, one after the other."""
    times = []
    for _ in range(SAMPLES):
        before = len(office.receiver.calls)
        invoice = await office.shop.create()
        committed = time.perf_counter()  # a little later: after the answer to the request
        name = invoice["id"].encode()

        async def came(before: int = before, name: bytes = name) -> list[Call]:
            return [call for call in office.receiver.calls[before:] if name in call.body]

        [call] = await until(came, "it arrives")
        times.append(max(0.0, call.at - committed))
    return times


def percentiles(times: Sequence[float]) -> tuple[float, float]:
    """The 50th and the 99th, in milliseconds."""
    cuts = statistics.quantiles(times, n=100)
    return cuts[49] * 1000, cuts[98] * 1000


if __name__ == "__main__":
    sys.exit(main())
