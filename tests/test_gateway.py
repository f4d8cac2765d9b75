"""The gateway itself: each kind of fault does what it says, by chance that can be repeated."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.chains.sandbox.evm import EvmRow
from tests.chains.sandbox.tron import TronRow
from tests.faults import KINDS, Fault, Kind, alter, random_fault
from tests.gateway import DOOR, Gateway

ROOT = Path(__file__).parent.parent
BLOCK = {"jsonrpc": "2.0", "id": 7, "method": "eth_getBlockByNumber", "params": ["latest", False]}


class Bench:
    """A node of either family behind a gateway, and one on another branch."""

    def __init__(self, node: EvmRow | TronRow, gateway: Gateway) -> None:
        self.node, self.gateway = node, gateway

    async def ask(self) -> tuple[int, str, dict[str, str]]:
        """Status, text and headers of an answer that tells the newest block."""
        rpc = isinstance(self.node, EvmRow)
        path, body = ("", BLOCK) if rpc else ("/wallet/getnowblock", {})
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.gateway.url + path, json=body) as response,
        ):
            return response.status, await response.text(), dict(response.headers)

    async def said(self) -> Any:
        """The JSON of a good answer."""
        status, text, _ = await self.ask()
        assert status == 200
        return json.loads(text)

    def strike(self, kind: Kind, seconds: float = 0.0) -> None:
        self.gateway.faults = (Fault(kind, 1.0, seconds),)


@pytest.fixture(params=[EvmRow, TronRow], ids=["evm", "tron"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with request.param.open() as node, request.param.open() as other:
        node.mine(2)
        other.mine(3)
        async with Gateway(node.url, fork=other.url) as gateway:
            yield Bench(node, gateway)


async def test_without_faults_an_answer_is_the_node_s_own(bench: Bench) -> None:
    through = await bench.said()
    bench.gateway.url = bench.node.url
    assert through == await bench.said()
    assert not bench.gateway.struck


@pytest.mark.parametrize(
    ("kind", "status", "retry_after"),
    [("busy", 429, None), ("busy_for", 429, "7"), ("broken", 503, None)],
)
async def test_a_refusal(bench: Bench, kind: Kind, status: int, retry_after: str | None) -> None:
    bench.strike(kind, 7)
    given, _, headers = await bench.ask()
    assert (given, headers.get("Retry-After")) == (status, retry_after)


async def test_a_page_in_place_of_an_answer(bench: Bench) -> None:
    bench.strike("html")
    status, text, headers = await bench.ask()
    assert (status, headers["Content-Type"].partition(";")[0]) == (200, "text/html")
    assert text.startswith("<!DOCTYPE html>")


async def test_a_body_that_ends_half_way(bench: Bench) -> None:
    bench.strike("cut")
    with pytest.raises(aiohttp.ClientPayloadError):
        await bench.ask()


async def test_a_connection_that_ends(bench: Bench) -> None:
    bench.strike("drop")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await bench.ask()


async def test_a_late_answer(bench: Bench) -> None:
    true = await bench.said()
    bench.strike("delay", 0.05)
    began = time.monotonic()
    assert await bench.said() == true
    assert time.monotonic() - began >= 0.05


async def test_an_error_that_is_a_string(bench: Bench) -> None:
    bench.strike("string_error")
    said = await bench.said()
    assert isinstance(said.get("error", said.get("Error")), str)
    assert "result" not in said
    assert "blockID" not in said


async def test_an_answer_to_another_request_of_json_rpc() -> None:
    async with EvmRow.open() as node, Gateway(node.url) as gateway:
        bench = Bench(node, gateway)
        bench.strike("wrong_id")
        assert (await bench.said())["id"] == "another"


async def test_an_answer_to_another_request_of_tron() -> None:
    async with TronRow.open() as node, Gateway(node.url) as gateway:
        bench = Bench(node, gateway)
        first = await bench.said()
        node.mine()
        bench.strike("wrong_id")
        assert await bench.said() == first


async def test_an_answer_that_waits_for_the_next(bench: Bench) -> None:
    bench.strike("reorder", 30)
    first = asyncio.create_task(bench.ask())
    async with asyncio.timeout(10):
        while not bench.gateway.struck:  # noqa: ASYNC110 - the gateway has no event for tests
            await asyncio.sleep(0.001)
        bench.gateway.faults = ()
        while not first.done():
            await bench.ask()
    assert first.result()[0] == 200


async def test_a_stale_node_stays_where_it_was_until_it_heals(bench: Bench) -> None:
    old = await bench.said()
    bench.strike("stale")
    bench.node.mine()
    assert await bench.said() == old
    bench.gateway.faults = ()
    assert await bench.said() != old


async def test_another_branch(bench: Bench) -> None:
    true = await bench.said()
    bench.strike("fork")
    assert await bench.said() != true


async def test_one_field_of_an_answer_is_another(bench: Bench) -> None:
    true = await bench.said()
    bench.strike("alter")
    altered = await bench.said()
    assert altered.keys() == true.keys()
    assert altered != true
    assert altered.get("id") == true.get("id")


@pytest.mark.parametrize(
    "value", [{"a": [1, {"b": True}], "c": "0xff"}, ["0x", ""], [0], "0x01", 5, False]
)
def test_an_altered_value_differs_in_one_place_and_keeps_its_shape(value: Any) -> None:
    for seed in range(20):
        altered, change = alter(value, random.Random(seed))
        assert altered != value
        assert change is not None
        assert type(altered) is type(value)
        assert len(json.dumps(altered)) in range(len(json.dumps(value)) - 1, 40)


@pytest.mark.parametrize("value", [None, [], {}, [None]])
def test_what_has_no_field_stays(value: Any) -> None:
    assert alter(value, random.Random(1)) == (value, None)


def test_the_same_seed_gives_the_same_faults_and_in_time_each_kind() -> None:
    one, other = random.Random(5), random.Random(5)
    faults = [random_fault(one) for _ in range(300)]
    assert faults == [random_fault(other) for _ in range(300)]
    assert {fault.kind for fault in faults} == set(KINDS)
    assert all(fault.probability > 0 for fault in faults)


async def test_the_same_seed_strikes_the_same_requests() -> None:
    async with EvmRow.open() as node:
        seen = []
        for seed in (3, 3, 4):
            async with Gateway(node.url, seed=seed) as gateway:
                gateway.faults = (Fault("broken", 0.5),)
                bench = Bench(node, gateway)
                seen.append([(await bench.ask())[0] for _ in range(30)])
    assert seen[0] == seen[1] != seen[2]
    assert set(seen[0]) == {200, 503}


async def test_its_door_sets_faults_and_tells_what_struck(bench: Bench) -> None:
    door = bench.gateway.url + DOOR
    faults = [{"kind": "broken", "probability": 1.0, "seconds": 0.0}]
    async with aiohttp.ClientSession() as session:
        async with session.put(door, json=faults) as response:
            assert response.status == 200
        assert (await bench.ask())[0] == 503
        async with session.get(door) as response:
            assert await response.json() == {"faults": faults, "struck": {"broken": 1}}
        async with session.put(door, json=[]) as response:
            assert response.status == 200
    assert (await bench.ask())[0] == 200


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ('[{"kind": "sabotage"}]', "Invalid enum value 'sabotage'"),
        ('[{"kind": "drop", "probability": 2}]', "`float` <= 1"),
        ('[{"kind": "drop", "chance": 1}]', "chance"),
        ('[{"kind": "fork"}]', "there is no node on another branch"),
        ("drop", "malformed"),
    ],
)
async def test_its_door_refuses_what_it_does_not_know(order: str, words: str) -> None:
    async with (
        Gateway("http://127.0.0.1:9") as gateway,
        aiohttp.ClientSession() as session,
        session.put(gateway.url + DOOR, data=order) as response,
    ):
        assert response.status == 400
        assert words in await response.text()
    assert gateway.faults == ()


async def test_it_runs_as_a_process_of_its_own() -> None:
    async with EvmRow.open() as node:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.gateway", node.url, "--seed", "7"),
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            line = await asyncio.wait_for(process.stdout.readline(), 20)
            gateway = Gateway(node.url)
            gateway.url = line.decode().strip()
            bench = Bench(node, gateway)
            assert (await bench.said())["result"]["number"] == "0x0"
            async with aiohttp.ClientSession() as session:
                await session.put(gateway.url + DOOR, json=[{"kind": "busy"}])
            assert (await bench.ask())[0] == 429
        finally:
            process.terminate()
            await process.wait()
