"""How many calls a node gets: a budget that does not depend on how much there is to watch."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web
from sqlalchemy import insert

import storage
from storage import Engine, schema
from tests.anvil import Anvil
from tests.factories import FAMILY, make_id
from tests.proxy import Call, Proxy
from tests.real.shop import Shop, run_shop
from tests.world import catch_up
from watcher import finality

BLOCK, RECEIPTS = "eth_getBlockByNumber", "eth_getBlockReceipts"
TRACES = "debug_traceBlockByHash"
CALL_TRACER = {"tracer": "callTracer", "timeout": "30s"}
Said = tuple[str, list[object]]


@dataclass
class Counted:
    """A shop on a node whose calls are noted, method and parameters."""

    anvil: Anvil
    shop: Shop
    calls: list[Said]

    async def calls_of_catching_up(self) -> list[Said]:
        self.calls.clear()
        await catch_up(self.shop.follower)
        return list(self.calls)

    async def calls_of_a_turn(self) -> list[Said]:
        self.calls.clear()
        assert not await self.shop.follower.turn()
        return list(self.calls)


@asynccontextmanager
async def counted_shop(folder: Path, database_url: str, addresses: int) -> AsyncIterator[Counted]:
    calls: list[Said] = []

    async def note(call: Call) -> web.StreamResponse:
        calls.append((call.method, call.params))
        return call.reply(result=await call.ask())

    with Anvil() as anvil:
        async with Proxy(anvil.url) as proxy, run_shop(folder, database_url, proxy.url) as shop:
            await assign(shop.engine, addresses)
            proxy.fail(note)
            yield Counted(anvil, shop, calls)


async def assign(engine: Engine, count: int) -> None:
    """Give the shop's invoice `count` addresses more."""
    rows = [
        {
            "family": FAMILY,
            "address": f"0x{number:040x}",
            "wallet_id": make_id("wal"),
            "invoice_id": make_id("inv"),
            "assigned_at": 0,
        }
        for number in range(1, count + 1)
    ]
    async with storage.write(engine) as conn:
        await conn.execute(insert(schema.addresses), rows)


@pytest.mark.parametrize("addresses", [10, 2000])
async def test_a_connected_block_costs_two_calls_or_three_however_many_addresses_there_are(
    tmp_path: Path, sqlite_url: str, addresses: int
) -> None:
    async with counted_shop(tmp_path, sqlite_url, addresses) as node:
        await node.calls_of_catching_up()
        node.anvil.send("0x" + "e5" * 20, 1)
        node.anvil.mine(12)
        calls = await node.calls_of_catching_up()
        numbers = range(1, 13)
        for_blocks = [
            *((BLOCK, [hex(number), True]) for number in numbers),
            *((RECEIPTS, [f"0x{node.anvil.hash(number)}"]) for number in numbers),
        ]
        for_blocks.append((TRACES, [f"0x{node.anvil.hash(1)}", CALL_TRACER]))  # others are empty
        at_the_head = [(BLOCK, ["0xd", True]), (BLOCK, ["latest", False])]
        how_far = [(BLOCK, ["latest", False])]  # asked once, when a third block in a row is new
    assert sorted(calls, key=str) == sorted([*for_blocks, *how_far, *at_the_head], key=str)


async def test_a_start_costs_the_same_calls_however_many_addresses_there_are(
    tmp_path: Path, sqlite_template: Path
) -> None:
    starts = []
    for addresses in (10, 2000):
        database = shutil.copy(sqlite_template, tmp_path / f"{addresses}.db")
        async with counted_shop(tmp_path, f"sqlite:///{database}", addresses) as node:
            calls = await node.calls_of_catching_up()
            starts.append(Counter(method for method, _ in calls))
    few, many = starts
    assert many == few
    assert few[RECEIPTS] == 1  # of the first block, the only one there is


async def test_at_the_head_the_next_block_is_asked_for_before_the_head(
    tmp_path: Path, sqlite_url: str
) -> None:
    async with counted_shop(tmp_path, sqlite_url, 10) as node:
        await node.calls_of_catching_up()
        idle = [(BLOCK, ["0x1", True]), (BLOCK, ["latest", False])]
        assert [await node.calls_of_a_turn() for _ in range(3)] == [idle] * 3

        node.anvil.mine()
        node.calls.clear()
        assert await node.shop.follower.turn()
        assert node.calls == [(BLOCK, ["0x1", True]), (RECEIPTS, [f"0x{node.anvil.hash(1)}"])]


async def test_finality_is_asked_for_once_in_twenty_seconds(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(finality, "time", SimpleNamespace(monotonic=lambda: now))
    final = (BLOCK, ["finalized", False])
    async with counted_shop(tmp_path, sqlite_url, 10) as node:
        assert (await node.calls_of_catching_up()).count(final) == 1
        now += 19.9
        assert final not in await node.calls_of_a_turn()
        now += 0.1
        assert (await node.calls_of_a_turn()).count(final) == 1
        assert final not in await node.calls_of_a_turn()
