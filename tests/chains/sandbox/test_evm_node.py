"""The node: what it answers, how it is driven, what a restart keeps, how it misbehaves."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chains.sandbox.control import ChainClock, Reorg
from chains.sandbox.evm.node import EvmNode
from chains.sandbox.evm.payments import internal, plain
from tests.anvil import free_port
from tests.chains.sandbox.evm import (
    OTHER,
    POLYGON_USDC,
    SHOP,
    START,
    USDT,
    contract,
    ethereum_flavour,
    open_client,
    open_evm,
    polygon_flavour,
    post,
    rpc,
    traced,
)

Json = dict[str, Any]


TOKEN = contract(USDT)


def call(method: str, *params: object, id: object = 1) -> Json:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


async def error_of(node: EvmNode, method: str, *params: object) -> int:
    """The code of the error that a call brings."""
    answer = await post(node, call(method, *params))
    assert "result" not in answer
    return int(answer["error"]["code"])


async def until(true: Callable[[], bool]) -> None:
    """Look again and again, for ten seconds at most."""
    for _ in range(1_000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


def times(node: EvmNode) -> list[int]:
    """Seconds since START of every block but the first."""
    return [mined.timestamp - START for mined in node.chain.blocks][1:]


# What it answers.


async def test_it_says_which_chain_it_is() -> None:
    async with open_evm() as node:
        assert await rpc(node, "eth_chainId") == "0x1"
        assert await rpc(node, "net_version") == "1"
        assert "sandbox" in await rpc(node, "web3_clientVersion")
    async with open_evm(polygon_flavour()) as node:
        assert await rpc(node, "eth_chainId") == "0x89"


async def test_tags_name_blocks() -> None:
    async with open_evm(finality_blocks=6) as node:
        node.mine(10)
        named = {"earliest": 0, "finalized": 4, "safe": 7, "latest": 10, "0x3": 3}
        for tag, number in named.items():
            block = await rpc(node, "eth_getBlockByNumber", tag, False)
            assert block["number"] == hex(number)
        assert await rpc(node, "eth_blockNumber") == "0xa"
        assert await rpc(node, "eth_getBlockByNumber", "0xb", False) is None


async def test_before_anything_is_final_block_0_is() -> None:
    async with open_evm() as node:
        node.mine(3)
        assert (await rpc(node, "eth_getBlockByNumber", "finalized", False))["number"] == "0x0"


async def test_a_block_comes_by_number_and_by_hash_in_full_or_not() -> None:
    async with open_evm() as node:
        tx_hash = node.chain.send(plain(None, SHOP, 5))
        mined = node.mine()
        full = await rpc(node, "eth_getBlockByNumber", "0x1", True)
        assert full == await rpc(node, "eth_getBlockByHash", mined.hash, True)
        assert [tx["hash"] for tx in full["transactions"]] == [tx_hash]
        short = await rpc(node, "eth_getBlockByNumber", "0x1", False)
        assert short == {**full, "transactions": [tx_hash]}
        assert await rpc(node, "eth_getBlockByHash", "0x" + 64 * "1", True) is None


async def test_receipts_come_by_number_by_hash_and_one_by_one() -> None:
    async with open_evm() as node:
        tx_hash = node.chain.send(plain(contract(USDT), SHOP, 5))
        mined = node.mine()
        receipts = await rpc(node, "eth_getBlockReceipts", mined.hash)
        assert receipts == await rpc(node, "eth_getBlockReceipts", "0x1")
        assert receipts == await rpc(node, "eth_getBlockReceipts", "latest")
        assert receipts == [await rpc(node, "eth_getTransactionReceipt", tx_hash)]
        assert receipts[0]["transactionHash"] == tx_hash
        assert await rpc(node, "eth_getBlockReceipts", "0x2") is None


async def test_a_transaction_is_there_once_it_is_mined() -> None:
    async with open_evm() as node:
        tx_hash = node.chain.send(plain(None, SHOP, 5))
        assert await rpc(node, "eth_getTransactionByHash", tx_hash) is None
        mined = node.mine()
        found = await rpc(node, "eth_getTransactionByHash", tx_hash)
        assert (found["blockHash"], found["value"]) == (mined.hash, "0x5")
        node.reorg(Reorg(1))
        assert await rpc(node, "eth_getTransactionByHash", tx_hash) is None
        assert await rpc(node, "eth_getTransactionReceipt", tx_hash) is None


async def test_balances_are_those_after_the_block_asked_for() -> None:
    async with open_evm() as node:
        for units in (5, 6):
            node.chain.send(plain(None, SHOP, units))
            node.chain.send(plain(contract(USDT), SHOP, 10 * units))
            node.mine()
        asked = {"to": contract(USDT), "data": f"0x70a08231{int(SHOP, 16):064x}"}
        for tag, coins, tokens in (("0x0", 0, 0), ("0x1", 5, 50), ("latest", 11, 110)):
            assert await rpc(node, "eth_getBalance", SHOP, tag) == hex(coins)
            assert int(await rpc(node, "eth_call", asked, tag), 16) == tokens
        assert await error_of(node, "eth_getBalance", SHOP, "0x3") == -32000


async def test_a_call_changes_nothing() -> None:
    async with open_evm() as node:
        data = f"0xa9059cbb{int(SHOP, 16):064x}{5:064x}"
        sent = {"to": contract(USDT), "input": data, "from": OTHER}
        assert int(await rpc(node, "eth_call", sent, "latest"), 16) == 1
        asked = {"to": contract(USDT), "data": f"0x70a08231{int(SHOP, 16):064x}"}
        assert int(await rpc(node, "eth_call", asked), 16) == 0
        assert await error_of(node, "eth_call", {**sent, "input": "0x12345678"}, "latest") == 3


async def test_contracts_have_code_and_others_none() -> None:
    async with open_evm() as node:
        assert len(await rpc(node, "eth_getCode", contract(USDT), "latest")) > 100
        assert await rpc(node, "eth_getCode", SHOP, "latest") == "0x"


async def test_only_the_call_tracer_is_there() -> None:
    async with open_evm() as node:
        node.chain.send(internal(None, SHOP, 5))
        mined = node.mine()
        traces = await rpc(
            node, "debug_traceBlockByHash", mined.hash, {"tracer": "callTracer", "timeout": "9s"}
        )
        assert traced(traces)[0][-1] == ("/0", SHOP, 5)
        for block, options in ((mined.hash, {}), ("0x" + 64 * "1", {"tracer": "callTracer"})):
            assert await error_of(node, "debug_traceBlockByHash", block, options) == -32000


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("eth_getLogs", [{}], -32601),
        ("eth_sendRawTransaction", ["0x"], -32601),
        ("eth_getBlockByNumber", ["latest"], -32602),
        ("eth_getBlockByNumber", ["latest", "yes"], -32602),
        ("eth_getBlockByNumber", ["0x01", True], -32602),
        ("eth_getBlockByNumber", [1, True], -32602),
        ("eth_chainId", [1], -32602),
        ("eth_getBalance", ["0x12", "latest"], -32602),
        ("eth_call", [{"data": "0x"}, "latest"], -32602),
        ("sandbox_pay", [{"to": SHOP, "units": "-5"}], -32602),
        ("sandbox_pay", [{"to": SHOP, "units": "5", "way": "by post"}], -32602),
        ("sandbox_pay", [{"to": SHOP, "units": "5", "unit": "wei"}], -32602),
        ("sandbox_pay", [{"to": SHOP, "units": "5", "contract": OTHER}], -32602),
        ("sandbox_pay", [{"to": SHOP, "units": "5", "way": "bridge"}], -32602),
        ("sandbox_pay", [{"to": SHOP, "units": str(10**30)}], -32602),
        ("sandbox_pay", [{"to": SHOP, "units": str(2**256), "contract": TOKEN}], -32602),
        ("sandbox_mine", [{"blocks": 0}], -32602),
        ("sandbox_mine", [{"advance_seconds": -1}], -32602),
        ("sandbox_reorg", [{"depth": 1}], -32602),
    ],
)
async def test_what_cannot_be_answered_is_an_error(
    method: str, params: list[object], code: int
) -> None:
    async with open_evm() as node:
        assert await error_of(node, method, *params) == code
        assert node.chain.head.number == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", -32700),
        (b"\xff", -32700),
        ("[]", -32600),
        ("1", -32600),
        ('{"id":1}', -32600),
        ('{"id":1,"method":"eth_chainId","params":{}}', -32600),
    ],
)
async def test_what_is_no_call_is_an_error(body: str | bytes, code: int) -> None:
    async with (
        open_evm() as node,
        aiohttp.ClientSession() as session,
        session.post(node.url, data=body) as response,
    ):
        answer = await response.json()
    assert (response.status, answer["error"]["code"]) == (200, code)


async def test_a_batch_is_answered_one_by_one() -> None:
    async with open_evm() as node:
        asked = [call("eth_chainId", id="a"), call("eth_none", id=2), 3, call("net_version", id=4)]
        answers = await post(node, asked)
    assert [answer["id"] for answer in answers] == ["a", 2, None, 4]
    told = [answer.get("result", answer.get("error", {}).get("code")) for answer in answers]
    assert told == ["0x1", -32601, -32600, "1"]


# How it is driven.


async def test_it_is_driven_over_the_same_door() -> None:
    async with open_evm() as node:
        order = {"to": SHOP, "units": "5"}
        tx_hash = await rpc(node, "sandbox_pay", order)
        assert await rpc(node, "sandbox_mine", {"blocks": 3, "advance_seconds": 60}) == 3
        assert (await rpc(node, "eth_getTransactionByHash", tx_hash))["blockNumber"] == "0x1"
        assert times(node) == [60, 60, 60]
        old = [mined.hash for mined in node.chain.blocks][1:]
        answer = await rpc(node, "sandbox_reorg", {"depth": 3, "keep": [tx_hash], "blocks": 4})
        assert answer == {"head": node.chain.head.number, "dropped": old}
        assert (await rpc(node, "eth_getTransactionByHash", tx_hash))["blockNumber"] == "0x1"
        assert await rpc(node, "eth_blockNumber") == "0x4"


async def test_final_blocks_are_replaced_only_by_force() -> None:
    async with open_evm(finality_blocks=2) as node:
        node.mine(5)
        old = [mined.hash for mined in node.chain.blocks]
        with pytest.raises(RuntimeError, match="all but the newest 2 blocks are final"):
            await rpc(node, "sandbox_reorg", {"depth": 3})
        assert [mined.hash for mined in node.chain.blocks] == old
        await rpc(node, "sandbox_reorg", {"depth": 2})
        assert [mined.hash for mined in node.chain.blocks][:4] == old[:4]
        await rpc(node, "sandbox_reorg", {"depth": 3, "force": True})
        assert [mined.hash for mined in node.chain.blocks][:4] == [
            *old[:3],
            node.chain.block(3).hash,
        ]
        assert node.chain.block(3).hash != old[3]


async def test_a_payer_can_be_named() -> None:
    async with open_evm() as node:
        for _ in range(2):
            await rpc(node, "sandbox_pay", {"to": SHOP, "units": "5", "payer": 3})
        senders = {tx.sender for tx in node.mine().sent}
        assert len(senders) == 1
        count = await rpc(node, "eth_getTransactionCount", senders.pop(), "latest")
        assert count == "0x2"


async def test_polygon_is_paid_over_the_bridge_by_command() -> None:
    async with open_evm(polygon_flavour()) as node:
        token = contract(POLYGON_USDC)
        order = {"to": SHOP, "units": "5", "contract": token, "way": "bridge"}
        assert await error_of(node, "sandbox_pay", {**order, "units": str(2**256)}) == -32602
        assert await rpc(node, "sandbox_pay", order) is None
        (receipt,) = node.mine().receipts
        assert receipt["type"] == "0x7f"


async def test_it_mines_by_itself_until_told_to_stop() -> None:
    async with open_evm() as node:
        mining = asyncio.create_task(node.mine_every(0.01))
        await until(lambda: node.chain.head.number >= 3)
        mining.cancel()
        with suppress(asyncio.CancelledError):
            await mining
        assert mining.cancelled()


async def test_advancing_moves_the_time_of_later_blocks() -> None:
    async with open_evm() as node:
        node.mine()
        node.advance(7200)
        node.mine(2)
        assert times(node) == [0, 7200, 7200]


def test_the_clock_follows_the_wall_but_never_goes_back() -> None:
    wall = 100.9
    clock = ChainClock(lambda: wall)
    assert clock.after(0) == 100
    clock.advance(50)
    assert clock.after(100) == 150
    assert clock.after(200) == 200
    wall = 101.0
    assert clock.after(200) == 201
    wall = 50.0
    assert clock.after(201) == 201
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)


# What a restart keeps.


async def test_a_restart_goes_on_with_the_chain(tmp_path: Path) -> None:
    path = tmp_path / "ethereum.chain"
    async with open_evm(path=path) as node:
        node.chain.send(plain(None, SHOP, 5))
        node.chain.send(plain(contract(USDT), SHOP, 2**255), 1)
        node.advance(60)
        node.mine(3)
        before = [mined for mined in node.chain.blocks]
    async with open_evm(path=path) as node:
        assert list(node.chain.blocks) == before
        assert await rpc(node, "eth_getBalance", SHOP, "latest") == "0x5"
        mined = node.mine()
        assert mined.block["parentHash"] == before[-1].hash
        assert mined.timestamp == before[-1].timestamp
        async with open_client(node) as client:
            block = await client.block(1)
        assert block is not None
        assert [transfer.units for transfer in block.transfers] == [5, 2**255]


async def test_a_restart_can_fork_what_was_mined_before_it(tmp_path: Path) -> None:
    path = tmp_path / "polygon.chain"
    async with open_evm(polygon_flavour(), path) as node:
        kept = node.chain.send(plain(None, SHOP, 5))
        node.chain.send(plain(None, SHOP, 6))
        node.chain.bridge(SHOP, 7)
        node.mine(2)
    async with open_evm(polygon_flavour(), path) as node:
        node.reorg(Reorg(2, keep=(kept,)))
        new = [mined.hash for mined in node.chain.blocks]
        assert await rpc(node, "eth_getBalance", SHOP, "latest") == "0x5"
    async with open_evm(polygon_flavour(), path) as node:
        assert [mined.hash for mined in node.chain.blocks] == new
        assert await rpc(node, "eth_getBalance", SHOP, "latest") == "0x5"


async def test_a_restart_knows_a_chain_that_became_shorter(tmp_path: Path) -> None:
    path = tmp_path / "chain"
    async with open_evm(path=path) as node:
        node.mine(4)
        node.chain.send(plain(None, SHOP, 5))
        node.mine()
        node.reorg(Reorg(3, 1))
        hashes = [mined.hash for mined in node.chain.blocks]
    async with open_evm(path=path) as node:
        assert [mined.hash for mined in node.chain.blocks] == hashes
        assert node.chain.head.number == 3
        assert await rpc(node, "eth_getBalance", SHOP, "latest") == "0x0"


async def test_a_payer_new_after_a_restart_has_never_paid(tmp_path: Path) -> None:
    path = tmp_path / "chain"
    senders = set()
    for _ in range(2):
        async with open_evm(path=path) as node:
            node.chain.send(plain(None, SHOP, 5))
            senders.add(node.mine().sent[0].sender)
    assert len(senders) == 2


async def test_the_file_holds_only_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "chain"
    async with open_evm(path=path, kept_blocks=5) as node:
        for _ in range(12):
            node.mine()
    with closing(sqlite3.connect(path)) as file:
        numbers = [number for (number,) in file.execute("select number from blocks order by 1")]
    assert numbers == [0, 8, 9, 10, 11, 12]
    async with open_evm(path=path, kept_blocks=5) as node:
        assert [mined.number for mined in node.chain.blocks] == numbers


async def test_the_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chain"
    async with open_evm(path=path):
        pass
    for other in (polygon_flavour(), replace(ethereum_flavour(), chain_id=11155111)):
        with pytest.raises(ValueError, match="has ethereum 1 in format 2, not "):
            async with open_evm(other, path):
                pass


# How it misbehaves; what a client makes of it is in `tests/chains/test_contract.py`.


async def test_a_lagging_node_admits_nothing_of_its_newest_blocks() -> None:
    async with open_evm() as node:
        node.mine(2)
        tx_hash = node.chain.send(plain(None, SHOP, 5))
        mined = node.mine()
        node.faults.lag = 1
        assert await rpc(node, "eth_blockNumber") == "0x2"
        assert (await rpc(node, "eth_getBlockByNumber", "latest", False))["number"] == "0x2"
        assert await rpc(node, "eth_getBlockByNumber", "0x3", False) is None
        assert await rpc(node, "eth_getBlockByHash", mined.hash, False) is None
        assert await rpc(node, "eth_getBlockReceipts", mined.hash) is None
        assert await rpc(node, "eth_getTransactionByHash", tx_hash) is None
        assert await rpc(node, "eth_getBalance", SHOP, "latest") == "0x0"


async def test_finality_can_step_back_on_command() -> None:
    async with open_evm(finality_blocks=2) as node, open_client(node) as client:
        node.mine(10)
        seen = []
        for lag in (0, 5, 20):
            node.faults.final_lag = lag
            final = await client.finalized()
            assert final is not None
            seen.append(final.number)
        assert seen == [8, 3, 0]
        assert (await client.head()).number == 10


async def test_a_lie_leaves_the_truth_as_it_was() -> None:
    async with open_evm() as node:
        node.chain.send(plain(contract(USDT), SHOP, 5))
        mined = node.mine()
        true = await rpc(node, "eth_getBlockReceipts", mined.hash)
        node.faults.lie = "other amount"
        assert await rpc(node, "eth_getBlockReceipts", mined.hash) != true
        node.faults.lie = None
        assert await rpc(node, "eth_getBlockReceipts", mined.hash) == true


async def test_a_refusal_carries_its_status_and_how_long_to_wait() -> None:
    async with open_evm() as node, aiohttp.ClientSession() as session:
        node.faults.status, node.faults.retry_after = 429, 17
        async with session.post(node.url, json=call("eth_chainId")) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "17")
        node.faults.status = None
        async with session.post(node.url, json=call("eth_chainId")) as response:
            assert (response.status, "Retry-After" in response.headers) == (200, False)


async def test_a_dropped_connection_brings_no_answer() -> None:
    async with open_evm() as node:
        node.faults.drop = True
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await rpc(node, "eth_chainId")


async def test_it_listens_on_loopback_at_the_port_it_is_given() -> None:
    port = free_port()
    async with open_evm(port=port) as node:
        assert node.url == f"http://127.0.0.1:{port}"
        assert await rpc(node, "eth_blockNumber") == "0x0"
