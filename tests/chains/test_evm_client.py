"""The EVM client against a real node, and against one that a fault proxy makes lie or fail."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import traceback
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from chains import NETWORKS, worker
from chains.base import (
    ChainDataError,
    ChainError,
    ChainUnavailable,
    ClientOptions,
    EndpointRefused,
    EndpointSettings,
    WrongChain,
)
from chains.base import Traces as Mode
from chains.evm.blocks import Listing, Reading, read_block
from chains.evm.client import EvmClient
from chains.evm.traces import Traces
from chains.evm.worker import Read, read_here
from chains.http import Connection
from chains.worker import Worker
from tests import proxy as faults
from tests.anvil import Anvil
from tests.proxy import Fault, Proxy
from watcher.domain.blocks import Hash
from watcher.domain.money import Asset, Network

ROOT = Path(__file__).parents[2]
ETHEREUM = NETWORKS[Network("ethereum")]
ETH, USDT = ETHEREUM.assets[:2]
ALICE, BOB = "0x" + "a1" * 20, "0x" + "b2" * 20
BLOCK, RECEIPTS = "eth_getBlockByNumber", "eth_getBlockReceipts"


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with Anvil() as node:
        yield node


@pytest.fixture
async def node(anvil: Anvil) -> AsyncIterator[Proxy]:
    async with Proxy(anvil.url) as proxy:
        yield proxy


@asynccontextmanager
async def open_client(
    *nodes: str | EndpointSettings,
    read: Read | None = read_here,
    chain_id: int = 1,
    genesis: Hash | None = None,
    assets: Sequence[Asset] = (ETH, USDT),
    agreement: int = 1,
    traces: Mode = "off",
) -> AsyncIterator[EvmClient]:
    """A client of endpoints named a, b, … that reads within this process."""
    endpoints = [
        EndpointSettings(name, node) if isinstance(node, str) else node
        for name, node in zip("abc", nodes, strict=False)
    ]
    options = ClientOptions(endpoints, assets, chain_id, genesis, agreement, traces=traces)
    client = EvmClient(ETHEREUM, options, read=read)
    try:
        yield client
    finally:
        await client.close()


def states(client: EvmClient) -> list[str]:
    return [report.state for report in client.endpoints()]


def reason(client: EvmClient) -> str:
    return client.endpoints()[0].reason or ""


def pay(anvil: Anvil) -> None:
    """Mine block 1: 5 wei to Alice, then 77 units of USDT to Bob."""
    assert USDT.contract is not None
    anvil.put_token(USDT.contract)
    anvil.send(ALICE, 5)
    anvil.send_token(USDT.contract, BOB, 77)
    anvil.mine()


async def test_a_block_has_its_transfers_in_order(anvil: Anvil) -> None:
    pay(anvil)
    async with open_client(anvil.url) as client:
        block = await client.block(1)
    assert block is not None
    assert (block.ref.number, block.ref.hash) == (1, anvil.hash(1))
    assert block.ref.parent_hash == anvil.hash(0)
    assert block.ref.timestamp == anvil.time()
    found = [(t.method, t.position, t.to, t.units) for t in block.transfers]
    assert found == [
        ("ethereum:eth", "value", ALICE, 5),
        ("ethereum:usdt", "log/0", BOB, 77),
    ]
    assert {t.sender for t in block.transfers} == {anvil.accounts[0]}


async def test_what_is_not_listed_is_not_given(anvil: Anvil) -> None:
    pay(anvil)
    async with open_client(anvil.url, assets=[ETH]) as client:
        block = await client.block(1)
        assert block is not None
        assert [t.method for t in block.transfers] == [ETH.method]
    async with open_client(anvil.url, assets=[USDT]) as client:
        block = await client.block(1)
        assert block is not None
        assert [t.method for t in block.transfers] == [USDT.method]


async def test_a_block_takes_two_calls(anvil: Anvil, node: Proxy) -> None:
    anvil.mine(3)
    async with open_client(node.url) as client:
        await client.block(1)
        node.calls.clear()
        await client.block(2)
        await client.block(3)
    assert node.calls == {BLOCK: 2, RECEIPTS: 2}


async def test_receipts_are_asked_by_hash(anvil: Anvil, node: Proxy) -> None:
    anvil.mine(2)
    node.fail(faults.result(None), RECEIPTS, block=2)  # a number may mean another block by now
    async with open_client(node.url) as client:
        assert await client.block(2) is not None


async def test_another_block_than_asked_for_is_a_lie(anvil: Anvil, node: Proxy) -> None:
    anvil.mine(2)
    node.fail(faults.result(anvil.block(1, full=True)), BLOCK, block=2)
    async with open_client(node.url) as client:
        with pytest.raises(ChainDataError, match="asked for block 2, got block 1"):
            await client.block(2)


async def test_blocks_may_be_read_concurrently(anvil: Anvil) -> None:
    anvil.mine(20)
    async with open_client(anvil.url) as client:
        blocks = await asyncio.gather(*(client.block(n) for n in range(1, 21)))
    assert [block.ref.hash for block in blocks if block] == [anvil.hash(n) for n in range(1, 21)]


async def test_a_block_that_is_not_there_yet_is_none(anvil: Anvil, node: Proxy) -> None:
    async with open_client(node.url) as client:
        assert await client.block(1) is None
        node.fail(faults.error({"code": -32000, "message": "block not found"}), BLOCK, block=1)
        assert await client.block(1) is None
        assert states(client) == ["healthy"]


async def test_head_and_finality(anvil: Anvil) -> None:
    anvil.mine(20)
    async with open_client(anvil.url) as client:
        head = await client.head()
        assert (head.number, head.hash) == (20, anvil.hash(20))
        final = await client.finalized()
        assert (final and final.hash) == anvil.hash(12)
        assert client.endpoints()[0].head == 20


async def test_finality_is_what_enough_endpoints_call_final(anvil: Anvil, node: Proxy) -> None:
    anvil.mine(20)
    newest = anvil.rpc("eth_getBlockByNumber", "0x14", False)
    node.fail(faults.result(newest), BLOCK, block="finalized")
    async with open_client(node.url, anvil.url, agreement=2) as client:
        final = await client.finalized()
        assert (final and final.hash) == anvil.hash(12)
    async with open_client(node.url, agreement=2) as client:
        assert await client.finalized() is None


@pytest.mark.parametrize(
    "unknown",
    [
        faults.error({"code": -39001, "message": "Unknown block"}),
        faults.error({"code": -32000, "message": "finalized block not found"}),
        faults.result(None),
    ],
)
async def test_no_finalized_block_is_no_information(node: Proxy, unknown: Fault) -> None:
    node.fail(unknown, BLOCK, block="finalized")
    async with open_client(node.url) as client:
        assert await client.finalized() is None
        assert states(client) == ["healthy"]


def blank(receipts: list[object]) -> None:
    receipts.clear()


def double(block: dict[str, list[dict[str, str]]]) -> None:
    block["transactions"][0]["value"] = "0xa"


def halve(receipts: list[dict[str, list[dict[str, str]]]]) -> None:
    receipts[1]["logs"][0]["data"] = "0x" + f"{38:064x}"


def renumber(block: dict[str, str]) -> None:
    block["number"] = "0x2"


def unparent(block: dict[str, str]) -> None:
    del block["parentHash"]


LIES = {
    "no receipts": (faults.alter(blank), RECEIPTS),
    "null receipt": (faults.alter(lambda receipts: [None, *receipts[1:]]), RECEIPTS),
    "last receipt missing": (faults.alter(lambda receipts: receipts[:-1]), RECEIPTS),
    "other amount of a token": (faults.alter(halve), RECEIPTS),
    "receipts no list": (faults.result("0x"), RECEIPTS),
    "other value": (faults.alter(double), BLOCK),
    "other number": (faults.alter(renumber), BLOCK),
    "field missing": (faults.alter(unparent), BLOCK),
    "block no object": (faults.result(["0x1"]), BLOCK),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_is_no_block_and_quarantines_its_endpoint(
    anvil: Anvil, node: Proxy, lie: str
) -> None:
    pay(anvil)
    fault, method = LIES[lie]
    async with open_client(node.url, anvil.url) as client:
        await client.head()
        node.fail(fault, method)
        block = await client.block(1)
        assert block is not None
        assert block.ref.hash == anvil.hash(1)
        assert len(block.transfers) == 2
        assert states(client) == ["quarantined", "healthy"]
        assert reason(client)


async def test_a_lie_of_the_sole_endpoint_is_an_error(anvil: Anvil, node: Proxy) -> None:
    pay(anvil)
    node.fail(faults.alter(blank), RECEIPTS)
    async with open_client(node.url) as client:
        with pytest.raises(ChainDataError, match=r"^a: "):
            await client.block(1)


FAILURES: dict[str, tuple[Fault, type[ChainError]]] = {
    "429": (faults.status(429), ChainUnavailable),
    "500": (faults.status(500), ChainUnavailable),
    "503 page": (faults.html(503), ChainUnavailable),
    "page": (faults.html(), ChainUnavailable),
    "empty": (faults.body(""), ChainUnavailable),
    "half of JSON": (faults.body('{"jsonrpc":"2.0","id":1,"resu'), ChainUnavailable),
    "cut": (faults.cut(), ChainUnavailable),
    "hung up": (faults.hang_up(), ChainUnavailable),
    "string": (faults.error("Missed `to` address"), ChainUnavailable),
    "429 in a 200": (faults.error({"code": 429, "message": "compute units"}), ChainUnavailable),
    "no state": (faults.error({"code": -32000, "message": "header not found"}), ChainUnavailable),
    "echo": (faults.echo(), ChainUnavailable),
    "echo 403": (faults.echo(403), EndpointRefused),
    "401": (faults.status(401), EndpointRefused),
    "404": (faults.status(404, "not found"), EndpointRefused),
    "redirect": (faults.status(302, Location="http://127.0.0.1:1/"), EndpointRefused),
    "no method": (faults.error({"code": -32601, "message": "no such method"}), EndpointRefused),
    "400": (faults.error({"code": -32601, "message": "?"}, code=400), EndpointRefused),
}
KEYS = ("PathKey0123456789", "QueryKey01234", "UserName01", "PassWord01", "HeaderKey0123456789")


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failure_goes_elsewhere_and_never_tells_a_key(
    anvil: Anvil, node: Proxy, failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    fault, kind = FAILURES[failure]
    node.fail(fault)
    path, query, user, password, header = KEYS
    url = node.url.replace("//", f"//{user}:{password}@") + f"/v2/{path}?token={query}"
    secret = EndpointSettings("a", url, headers={"X-Token": f"Bearer {header}"})
    async with open_client(secret) as client:
        with pytest.raises(kind) as error:
            await client.head()
        told = [*traceback.format_exception(error.value), repr(error.value), caplog.text]
        told += [repr(client.endpoints()), repr(secret), repr(await client.capabilities())]
    async with open_client(secret, anvil.url) as client:
        assert (await client.head()).number == 0
        state = "refused" if kind is EndpointRefused else "waiting"
        assert states(client) == [state, "healthy"]
    for text in told:
        for key in (*KEYS, node.url.removeprefix("http://")):
            assert key.lower() not in text.lower()


async def test_what_nobody_answers_never_tells_its_url() -> None:
    async with open_client("http://127.0.0.1:1/PathKey0123456789") as client:
        with pytest.raises(ChainUnavailable, match="cannot connect") as error:
            await client.head()
    assert "PathKey" not in "".join(traceback.format_exception(error.value))
    assert "127.0.0.1" not in "".join(traceback.format_exception(error.value))


async def test_a_rate_limit_is_waited_for_as_long_as_it_says(anvil: Anvil, node: Proxy) -> None:
    async with open_client(node.url) as client:
        await client.head()
        node.fail(faults.status(429, Retry_After="17"), BLOCK, times=1)
        node.calls.clear()
        with pytest.raises(ChainUnavailable) as error:
            await client.head()
        assert error.value.retry_after == pytest.approx(17, abs=1)
        with pytest.raises(ChainUnavailable):
            await client.head()
    assert node.calls == {BLOCK: 1}


async def test_a_kept_connection_that_the_server_closed_is_tried_again_at_once(
    anvil: Anvil, node: Proxy
) -> None:
    async with open_client(node.url) as client:
        await client.head()
        node.fail(faults.hang_up(), BLOCK, block="latest", times=1)
        assert (await client.head()).number == 0
        assert states(client) == ["healthy"]


async def test_a_slow_or_huge_answer_is_given_up(anvil: Anvil, node: Proxy) -> None:
    hasty = Connection(EndpointSettings("a", node.url), total_seconds=0.1, most_bytes=5000)
    call = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'
    node.fail(faults.delay(1), times=1)
    with pytest.raises(ChainUnavailable, match=r"no answer within 0\.1 s"):
        await hasty.post(call)
    node.fail(faults.oversized(6000), times=1)
    with pytest.raises(ChainUnavailable, match="larger than 5000 bytes"):
        await hasty.post(call)
    assert (await hasty.post(call)).status == 200
    await hasty.close()


@pytest.mark.parametrize("method", [BLOCK, RECEIPTS])
async def test_null_for_what_was_just_told_of_is_asked_elsewhere(
    anvil: Anvil, node: Proxy, method: str
) -> None:
    anvil.mine(2)
    async with open_client(node.url, anvil.url) as client:
        await client.head()
        node.fail(faults.result(None), method)
        block = await client.block(2)
        assert block is not None
        assert states(client) == ["waiting", "healthy"]


async def test_an_endpoint_of_another_chain_id_is_never_asked_for_more(
    anvil: Anvil, node: Proxy
) -> None:
    node.fail(faults.result("0x5"), "eth_chainId")
    async with open_client(node.url, anvil.url) as client:
        assert (await client.head()).number == 0
        assert states(client) == ["quarantined", "healthy"]
        assert reason(client) == "follows chain id 5, configured 1"
    assert node.calls == {"eth_chainId": 1}


async def test_another_genesis_is_a_wrong_chain(anvil: Anvil) -> None:
    async with open_client(anvil.url, genesis=ETHEREUM.genesis_hash) as client:
        with pytest.raises(WrongChain, match=anvil.hash(0)):
            await client.head()


async def test_without_a_preset_the_first_genesis_is_required_of_all(anvil: Anvil) -> None:
    with Anvil("--timestamp", "1000") as stranger:
        async with open_client(anvil.url, stranger.url) as client:
            assert await client.genesis() == anvil.hash(0)
            await client.survey()
            assert states(client) == ["healthy", "quarantined"]


async def test_the_survey_finds_who_lags(anvil: Anvil, node: Proxy) -> None:
    anvil.mine(10)
    node.fail(faults.lag(3))
    async with open_client(node.url, anvil.url) as client:
        await client.survey()
        assert states(client) == ["lagging", "healthy"]
        assert (await client.head()).number == 10
        node.heal()
        await client.survey()
        assert states(client) == ["healthy", "healthy"]


async def test_who_repeats_a_hash_corroborates(anvil: Anvil, node: Proxy) -> None:
    anvil.mine(5)
    async with open_client(anvil.url, node.url) as client:
        ref = await client.head()
        assert await client.corroborate(ref, ()) == {"a", "b"}
        node.fail(faults.lag(1))
        assert await client.corroborate(ref, ()) == {"a"}
        anvil.reorg(1)
        assert await client.corroborate(ref, ()) == frozenset()
        assert states(client) == ["healthy", "healthy"]


async def unsure(block: bytes, receipts: bytes, listing: Listing, traces: Traces | None) -> Reading:
    """Reads as if the header had a field of a coming fork."""
    reading = await read_here(block, receipts, listing, traces)
    return replace(reading, unknown_fields=("slotNumber",))


async def test_an_unknown_header_field_needs_a_second_endpoint(anvil: Anvil, node: Proxy) -> None:
    anvil.mine()
    async with open_client(node.url, read=unsure) as client:
        with pytest.raises(ChainUnavailable, match=r"second endpoint is needed .* slotNumber"):
            await client.block(1)
        assert states(client) == ["healthy"]
    async with open_client(node.url, anvil.url, read=unsure) as client:
        block = await client.block(1)
        assert block is not None
        assert block.ref.hash == anvil.hash(1)


async def test_two_endpoints_that_differ_in_an_unknown_header_are_not_believed(
    anvil: Anvil, node: Proxy
) -> None:
    anvil.mine()
    node.fail(faults.alter(lambda block: {**block, "newField": "0x1"}), BLOCK, block=1)
    async with open_client(anvil.url, node.url, read=unsure) as client:
        with pytest.raises(ChainDataError, match="differ in its header"):
            await client.block(1)


async def test_capabilities_of_a_good_endpoint(anvil: Anvil) -> None:
    pay(anvil)
    anvil.mine(2)
    async with open_client(anvil.url) as client:
        found = await client.capabilities()
    checks = ["chain", "head", "finality", "receipts", "traces", "token USDT"]
    assert [capability.check for capability in found] == checks
    assert all(capability.ok for capability in found), found


async def test_capabilities_say_what_is_wrong(anvil: Anvil, node: Proxy) -> None:
    assert USDT.contract is not None
    anvil.put_token(USDT.contract, decimals=18)
    for method in (RECEIPTS, "debug_traceBlockByHash"):
        node.fail(faults.error({"code": -32601, "message": "not offered"}), method)
    node.fail(faults.error({"code": -32601, "message": "not offered"}), "trace_block")
    async with open_client(node.url, traces="required") as client:
        found = {capability.check: capability for capability in await client.capabilities()}
    wrong = {check: capability.detail for check, capability in found.items() if not capability.ok}
    assert set(wrong) == {"receipts", "traces", "token USDT"}
    assert wrong["token USDT"] == "18 decimals, configured 6"
    assert wrong["traces"].startswith("none; ETH that a contract sends is not seen with it")


async def test_clients_share_one_worker_that_ends_with_the_last(
    anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay(anvil)
    async with open_client(anvil.url, read=None) as one:
        async with open_client(anvil.url, read=None) as two:
            first, second = await asyncio.gather(one.block(1), two.block(1))
            assert first == second
            assert first is not None
            assert len(first.transfers) == 2
            assert len(processes(worker.SHARED)) == 1
        assert len(processes(worker.SHARED)) == 1
        listing = Listing(ETHEREUM.name, ETH.method, {})
        with pytest.raises(ChainDataError):  # crosses the process boundary as it is
            await worker.SHARED.run(read_block, b"{}", b"[]", listing)
    assert processes(worker.SHARED) == []


async def test_a_worker_that_died_is_replaced(anvil: Anvil) -> None:
    pay(anvil)
    async with open_client(anvil.url, read=None) as client:
        await client.block(1)
        (before,) = processes(worker.SHARED)
        os.kill(before, signal.SIGKILL)
        assert await client.block(1) is not None
        (after,) = processes(worker.SHARED)
        assert after != before
        assert states(client) == ["healthy"]


def processes(shared: Worker) -> list[int]:
    """Ids of the worker's processes."""
    return list(shared._executor._processes) if shared._executor else []


def test_a_worker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent("""
        import asyncio, os, signal
        from chains.base import ChainDataError
        from chains.evm.blocks import Listing, read_block
        from chains.worker import Worker

        async def main():
            worker = Worker()
            try:
                await worker.run(read_block, b"{}", b"[]", Listing("", "", {}))
            except ChainDataError:
                pass
            print(*worker._executor._processes, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

        if __name__ == "__main__":
            asyncio.run(main())
        """)
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, script],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as parent:
        try:
            # The worker holds the pipe open: it is at its end only when the worker is gone, too.
            output, _ = parent.communicate(timeout=20)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(parent.pid, signal.SIGKILL)
    assert parent.returncode == -signal.SIGKILL
    assert int(output) != parent.pid
