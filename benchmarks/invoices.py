"""Opening and reading invoices over HTTP, beside a bare handler with one insert or one select.

    python -m benchmarks.invoices [--requests 400]

The true application on both engines, asked over loopback by four clients in the same process; an
invoice with one method, so that each derives an address. The bare handler is aiohttp's with the
same engine. Both in turns, in the same run: requests a second, p50 and p99 in milliseconds, and how
many times as long as the bare one. There is no bound: the ratios say what a change costs.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from itertools import count

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import text

import storage
from benchmarks.harness import databases
from storage import Engine
from tests.api.shop import PRICE, Shop, make_policy, open_shop, serve

CLIENTS, TURNS = 4, 5
BODY = {"price": PRICE, "methods": ["ethereum:usdt"], "external_id": "8821"}

Ask = Callable[[], Awaitable[int]]
"""One request; the status of its answer."""


def main() -> int:
    """Print a table for each engine."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=400)
    requests = parser.parse_args().requests
    with databases("books") as urls:
        for engine, [url] in urls.items():
            print(f"{engine:<22}  per second  p50 ms  p99 ms  ratio", flush=True)
            asyncio.run(measure(url, requests // TURNS))
    return 0


async def measure(url: str, requests: int) -> None:
    """Ask everything in turns; print what each took."""
    engine, policy = storage.open_engine(url), make_policy()
    async with serve(engine, policy) as http, TestServer(bare(engine)) as plain:
        shop = await open_shop(engine, policy, http)
        await prepare(engine)
        async with aiohttp.ClientSession() as session:
            asks = await questions(shop, session, str(plain.make_url("/")))
            times: defaultdict[str, list[float]] = defaultdict(list)
            walls: defaultdict[str, float] = defaultdict(float)
            for _ in range(TURNS):
                for name, ask in asks.items():
                    start = time.perf_counter()
                    for some in await asyncio.gather(
                        *(repeat(ask, requests // CLIENTS) for _ in range(CLIENTS))
                    ):
                        times[name] += some
                    walls[name] += time.perf_counter() - start
    await storage.close(engine)
    for name, beside in (("POST /v1/invoices", "insert"), ("GET /v1/invoices/{id}", "select")):
        for each in (beside, name):
            cuts = [1000 * cut for cut in statistics.quantiles(times[each], n=100)]
            ratio = statistics.median(times[each]) / statistics.median(times[beside])
            rate = len(times[each]) / walls[each]
            print(f"{each:<22}  {rate:10.0f}  {cuts[49]:6.1f}  {cuts[98]:6.1f}  {ratio:5.1f}")


async def questions(shop: Shop, session: aiohttp.ClientSession, plain: str) -> dict[str, Ask]:
    """What is asked, by name."""
    made = await shop.create()
    headers = {"Authorization": f"Bearer {shop.key}"}
    base = str(shop.http.make_url("/v1/invoices"))

    def ask(method: str, url: str, **options: object) -> Ask:
        async def once() -> int:
            async with session.request(method, url, headers=headers, **options) as response:
                await response.read()
                return response.status

        return once

    return {
        "insert": ask("POST", plain, json=BODY),
        "POST /v1/invoices": ask("POST", base, json=BODY),
        "select": ask("GET", plain),
        "GET /v1/invoices/{id}": ask("GET", f"{base}/{made['id']}"),
    }


async def repeat(ask: Ask, times: int) -> list[float]:
    """Seconds that each of so many requests took, one after the other."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        status = await ask()
        took.append(time.perf_counter() - start)
        assert status in (200, 201), status
    return took


async def prepare(engine: Engine) -> None:
    async with storage.write(engine) as conn:
        await conn.execute(text("CREATE TABLE bare (id INTEGER PRIMARY KEY, body TEXT)"))
        await conn.execute(text("INSERT INTO bare VALUES (0, '{}')"))


def bare(engine: Engine) -> web.Application:
    """One insert, or one select, and the JSON of what was sent."""
    numbers = count(1)

    async def insert(request: web.Request) -> web.Response:
        row = {"id": next(numbers), "body": await request.text()}
        async with storage.write(engine) as conn:
            await conn.execute(text("INSERT INTO bare VALUES (:id, :body)"), row)
        return web.json_response(row, status=201)

    async def select(request: web.Request) -> web.Response:
        async with storage.read(engine) as conn:
            row = (await conn.execute(text("SELECT id, body FROM bare WHERE id = 0"))).one()
        return web.json_response(dict(row._mapping))

    app = web.Application()
    app.add_routes([web.post("/", insert), web.get("/", select)])
    return app


if __name__ == "__main__":
    sys.exit(main())
