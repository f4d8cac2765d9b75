"""The Tron node: what it answers, how it is driven, what a restart keeps, how it misbehaves."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chains.sandbox.control import Reorg
from chains.sandbox.tron.accounts import inner
from chains.sandbox.tron.flavour import tron
from chains.sandbox.tron.node import TronNode
from chains.sandbox.tron.orders import Order
from chains.sandbox.tron.payments import collectible, internal, plain
from tests.chains.sandbox.tron import (
    ASSETS,
    COIN,
    OTHER,
    SHOP,
    START,
    USDD,
    USDT,
    ask,
    contract,
    open_client,
    open_tron,
    read,
)

TO = inner(SHOP)
SHOP_WIRE = "41" + TO[2:]
BLOCK, INFOS = "wallet/getblockbynum", "wallet/gettransactioninfobyblocknum"
SOLID = "walletsolidity"


async def until(true: Callable[[], bool]) -> None:
    """Look again and again, for ten seconds at most."""
    for _ in range(1_000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


async def get(node: TronNode, path: str) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{node.url}/{path}") as response,
    ):
        return await response.json()


async def error_of(node: TronNode, path: str, **params: object) -> str:
    """The error that a call brings, which is sent as a 200."""
    answer = await ask(node, path, **params)
    assert list(answer) == ["Error"]
    return str(answer["Error"])


def number(block: dict[str, Any]) -> int:
    """The number, which a node leaves out when it is 0."""
    return int(block["block_header"]["raw_data"].get("number", 0))


def times(node: TronNode) -> list[int]:
    """Seconds since START of every block but the first."""
    return [mined.timestamp - START for mined in node.chain.blocks][1:]


# What it answers.


async def test_the_solidified_block_is_19_below_the_head() -> None:
    async with open_tron() as node:
        node.mine(30)
        assert number(await ask(node, "wallet/getnowblock")) == 30
        assert number(await ask(node, f"{SOLID}/getnowblock")) == 11


async def test_how_far_below_can_be_chosen() -> None:
    async with open_tron(finality_blocks=2) as node:
        node.mine()
        assert number(await ask(node, f"{SOLID}/getnowblock")) == 0
        node.mine(4)
        assert number(await ask(node, f"{SOLID}/getnowblock")) == 3


async def test_what_is_not_solid_is_absent_on_that_side_only() -> None:
    async with open_tron(finality_blocks=2) as node:
        tx_id = node.chain.send(plain(None, TO, 5))
        node.mine(2)
        for path, params, absent in (
            ("getblockbynum", {"num": 1}, {}),
            ("gettransactioninfobyblocknum", {"num": 1}, []),
            ("gettransactioninfobyid", {"value": tx_id}, {}),
            ("getaccount", {"address": SHOP_WIRE}, {}),
        ):
            here = await ask(node, f"wallet/{path}", **params)
            assert here != absent
            assert await ask(node, f"{SOLID}/{path}", **params) == absent
            node.mine()
            assert await ask(node, f"{SOLID}/{path}", **params) == here
            node.chain.fork(1, blocks=0)


async def test_a_block_comes_by_number_by_id_and_as_the_newest() -> None:
    async with open_tron() as node:
        node.chain.send(plain(None, TO, 5))
        mined = node.mine()
        full = await ask(node, BLOCK, num=1)
        assert full == mined.block
        for asked in ({"id_or_num": "1"}, {"id_or_num": mined.hash}, {}):
            assert await ask(node, "wallet/getblock", detail=True, **asked) == full
        short = await ask(node, "wallet/getblock", id_or_num="1")
        assert short == {name: full[name] for name in ("blockID", "block_header")}
        assert await ask(node, "wallet/getblock", id_or_num="2") == {}
        assert await ask(node, "wallet/getblock", id_or_num=64 * "1") == {}


async def test_infos_come_by_number_and_one_by_one() -> None:
    async with open_tron() as node:
        ids = [node.chain.send(plain(contract(USDT), TO, units)) for units in (5, 6)]
        node.mine()
        infos = await ask(node, INFOS, num=1)
        assert [info["id"] for info in infos] == ids
        each = [await ask(node, "wallet/gettransactioninfobyid", value=tx_id) for tx_id in ids]
        assert each == infos


async def test_get_is_answered_like_post() -> None:
    async with open_tron() as node:
        node.mine()
        assert await get(node, f"{BLOCK}?num=1") == await ask(node, BLOCK, num=1)
        assert number(await get(node, "wallet/getnowblock")) == 1
        short = await get(node, "wallet/getblock?id_or_num=1&detail=false")
        assert short == await ask(node, "wallet/getblock", id_or_num="1", detail=False)
        assert "Error" in await get(node, f"{BLOCK}?num=x")


async def test_a_transaction_that_a_fork_left_out_is_still_told_as_good() -> None:
    async with open_tron() as node:
        tx_id = node.chain.send(plain(None, TO, 5))
        node.mine()
        told = await ask(node, "wallet/gettransactionbyid", value=tx_id)
        node.reorg(Reorg(1))
        assert await ask(node, "wallet/gettransactionbyid", value=tx_id) == told
        assert told["ret"] == [{"contractRet": "SUCCESS"}]
        assert await ask(node, "wallet/gettransactioninfobyid", value=tx_id) == {}


async def test_an_account_has_what_it_was_paid() -> None:
    async with open_tron() as node:
        assert await ask(node, "wallet/getaccount", address=SHOP_WIRE) == {}
        node.chain.send(plain(None, TO, 5))
        node.chain.send(internal(None, TO, 6))
        node.chain.send(Order(TO, 7, coin=str(COIN.contract)))
        node.mine()
        account = await ask(node, "wallet/getaccount", address=SHOP_WIRE)
        assert (account["address"], account["balance"]) == (SHOP_WIRE, 11)
        assert account["assetV2"] == [{"key": "1000002", "value": 7}]


@pytest.mark.parametrize(
    ("asset", "function", "parameter", "word"),
    [
        (USDT, "decimals()", "", f"{6:064x}"),
        (USDD, "decimals()", "", f"{18:064x}"),
        (USDT, "balanceOf(address)", 24 * "0" + TO[2:], f"{5:064x}"),
        (USDD, "balanceOf(address)", 24 * "0" + TO[2:], f"{0:064x}"),
        (USDT, "symbol()", "", f"{32:064x}{4:064x}{b'USDT'.hex():0<64}"),
        (USDT, "mint(uint256)", f"{5:064x}", ""),
    ],
)
async def test_a_token_answers_calls_that_change_nothing(
    asset: Any, function: str, parameter: str, word: str
) -> None:
    async with open_tron() as node:
        node.chain.send(plain(contract(USDT), TO, 5))
        node.mine()
        call = {
            "owner_address": SHOP_WIRE,
            "contract_address": "41" + contract(asset)[2:],
            "function_selector": function,
            "parameter": parameter,
        }
        answer = await ask(node, "wallet/triggerconstantcontract", **call)
        assert answer["constant_result"] == [word]
        assert ("message" in answer["result"]) == (word == "")


async def test_it_tells_of_a_coin_by_its_number() -> None:
    async with open_tron() as node:
        assert COIN.contract is not None
        answer = await ask(node, "wallet/getassetissuebyid", value=COIN.contract)
        assert answer == {"id": COIN.contract, "precision": COIN.decimals}
        assert await ask(node, "wallet/getassetissuebyid", value="9") == {}


async def test_where_no_contract_stands_none_answers() -> None:
    async with open_tron() as node:
        call = {"owner_address": SHOP_WIRE, "contract_address": SHOP_WIRE}
        answer = await ask(
            node, "wallet/triggerconstantcontract", **call, function_selector="decimals()"
        )
        assert answer["result"]["code"] == "CONTRACT_VALIDATE_ERROR"
        assert "constant_result" not in answer


async def test_the_client_finds_everything_that_it_examines() -> None:
    async with open_tron(finality_blocks=2) as node:
        node.chain.send(internal(None, TO, 5))
        node.mine(3)
        async with open_client(node) as client:
            found = await client.capabilities()
    wrong = {capability.check: capability.detail for capability in found if not capability.ok}
    assert list(wrong) == ["head"]  # the clock of this test stands still
    checks = {"chain", "finality", "infos", "internal TRX", "token USDT", "token COIN"}
    assert checks <= {c.check for c in found}


async def test_it_tells_of_itself() -> None:
    async with open_tron(finality_blocks=2) as node:
        node.mine(3)
        told = await ask(node, "wallet/getnodeinfo")
        assert told["block"] == f"Num:3,ID:{node.chain.head.hash}"
        assert told["solidityBlock"].startswith("Num:1,ID:0000000000000001")
        assert "sandbox" in told["configNodeInfo"]["codeVersion"]


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("wallet/getblock", {"id_or_num": "one"}),
        ("wallet/getaccount", {"address": "41"}),
        ("wallet/getaccount", {"address": SHOP_WIRE, "visible": True}),
        ("wallet/triggerconstantcontract", {"contract_address": "xx"}),
        ("sandbox_pay", {"to": SHOP, "units": "-5"}),
        ("sandbox_pay", {"to": SHOP, "units": "5", "way": "by post"}),
        ("sandbox_pay", {"to": SHOP, "units": "5", "unit": "sun"}),
        ("sandbox_pay", {"to": SHOP, "units": "5", "contract": OTHER}),
        ("sandbox_pay", {"to": SHOP, "units": "5", "contract": "1000009"}),
        ("sandbox_pay", {"to": SHOP, "units": "5", "contract": "1000002", "way": "internal"}),
        ("sandbox_pay", {"to": SHOP, "units": "5", "way": "bridge"}),
        ("sandbox_pay", {"to": SHOP, "units": "0"}),
        ("sandbox_pay", {"to": "0x" + "a1" * 20, "units": "5"}),
        ("sandbox_mine", {"blocks": 0}),
        ("sandbox_mine", {"advance_seconds": -1}),
        ("sandbox_reorg", {"depth": 1}),
        ("sandbox_reorg", {}),
    ],
)
async def test_what_cannot_be_answered_is_an_error(path: str, params: dict[str, object]) -> None:
    async with open_tron() as node:
        assert await error_of(node, path, **params)
        assert node.chain.head.number == 0
        assert node.mine().infos == []


# How it is driven.


async def test_it_is_driven_over_the_same_door() -> None:
    async with open_tron() as node:
        tx_id = await ask(node, "sandbox_pay", to=SHOP, units="5", contract=USDT.contract)
        assert await ask(node, "sandbox_mine", blocks=3, advance_seconds=60) == 3
        assert times(node) == [60, 60, 60]
        old = [mined.hash for mined in node.chain.blocks][1:]
        order = {"depth": 3, "blocks": 4, "keep": [tx_id], "starved": [tx_id]}
        answer = await ask(node, "sandbox_reorg", **order)
        assert answer == {"head": node.chain.head.number, "dropped": old}
        info = await ask(node, "wallet/gettransactioninfobyid", value=tx_id)
        assert (info["blockNumber"], info["receipt"]["result"]) == (1, "OUT_OF_ENERGY")
        assert node.chain.head.number == 4


async def test_orders_are_not_taken_by_get() -> None:
    async with (
        open_tron() as node,
        aiohttp.ClientSession() as session,
        session.get(f"{node.url}/sandbox_mine") as response,
    ):
        assert response.status == 405
        assert node.chain.head.number == 0


async def test_a_payer_can_be_named() -> None:
    async with open_tron() as node:
        for units in ("5", "6"):
            await ask(node, "sandbox_pay", to=SHOP, units=units, payer=3)
        await ask(node, "sandbox_pay", to=SHOP, units="7")
        node.mine()
        senders = [transfer.sender for transfer in (await read(node, 1)).transfers]
        assert senders[0] == senders[1] != senders[2]


async def test_it_mines_by_itself_until_told_to_stop() -> None:
    async with open_tron() as node:
        mining = asyncio.create_task(node.mine_every(0.01))
        await until(lambda: node.chain.head.number >= 3)
        mining.cancel()
        with suppress(asyncio.CancelledError):
            await mining
        assert mining.cancelled()


async def test_advancing_moves_the_time_of_later_blocks() -> None:
    async with open_tron() as node:
        node.mine()
        node.advance(7200)
        node.mine(2)
        assert times(node) == [0, 7200, 7200]
        assert (await read(node, 2)).ref.timestamp == START + 7200


# What a restart keeps.


async def test_a_restart_goes_on_with_the_chain(tmp_path: Path) -> None:
    path = tmp_path / "tron.chain"
    async with open_tron(path) as node:
        node.chain.send(plain(None, TO, 5))
        node.chain.send(plain(contract(USDD), TO, 2**255), 1)
        node.advance(60)
        node.mine(3)
        before = list(node.chain.blocks)
    async with open_tron(path) as node:
        assert list(node.chain.blocks) == before
        assert (await ask(node, "wallet/getaccount", address=SHOP_WIRE))["balance"] == 5
        mined = node.mine()
        assert mined.block["block_header"]["raw_data"]["parentHash"] == before[-1].hash
        assert mined.timestamp == before[-1].timestamp
        assert [transfer.units for transfer in (await read(node, 1)).transfers] == [5, 2**255]


async def test_a_restart_can_fork_what_was_mined_before_it(tmp_path: Path) -> None:
    path = tmp_path / "tron.chain"
    async with open_tron(path) as node:
        kept = node.chain.send(plain(None, TO, 5))
        starved = node.chain.send(plain(contract(USDT), TO, 6))
        node.chain.send(plain(None, TO, 7))
        node.mine(2)
    async with open_tron(path) as node:
        node.reorg(Reorg(2, keep=(kept, starved), starved=(starved,)))
        new = [mined.hash for mined in node.chain.blocks]
    async with open_tron(path) as node:
        assert [mined.hash for mined in node.chain.blocks] == new
        assert [transfer.units for transfer in (await read(node, 1)).transfers] == [5]
        assert (await ask(node, "wallet/getaccount", address=SHOP_WIRE))["balance"] == 5


async def test_a_restart_knows_a_chain_that_became_shorter(tmp_path: Path) -> None:
    path = tmp_path / "chain"
    async with open_tron(path) as node:
        node.mine(5)
        node.reorg(Reorg(3, 1))
        hashes = [mined.hash for mined in node.chain.blocks]
    async with open_tron(path) as node:
        assert [mined.hash for mined in node.chain.blocks] == hashes
        assert node.chain.head.number == 3


async def test_a_payer_new_after_a_restart_has_never_paid(tmp_path: Path) -> None:
    path = tmp_path / "chain"
    senders = set()
    for _ in range(2):
        async with open_tron(path) as node:
            node.chain.send(plain(None, TO, 5))
            senders.add(node.mine().sent[0].contract["owner_address"])
    assert len(senders) == 2


async def test_the_file_holds_only_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "chain"
    async with open_tron(path, kept_blocks=5) as node:
        for _ in range(12):
            node.mine()
    with closing(sqlite3.connect(path)) as file:
        numbers = [number for (number,) in file.execute("select number from blocks order by 1")]
    assert numbers == [0, 8, 9, 10, 11, 12]
    async with open_tron(path, kept_blocks=5) as node:
        assert [mined.number for mined in node.chain.blocks] == numbers


async def test_the_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chain"
    async with open_tron(path):
        pass
    with pytest.raises(ValueError, match="has tron in format 2, not nile"):
        async with open_tron(path, flavour=tron(ASSETS, "nile")):
            pass


# How it misbehaves; what a client makes of it is in `tests/chains/test_contract.py`.


async def test_a_lagging_node_admits_nothing_of_its_newest_blocks() -> None:
    async with open_tron() as node:
        node.mine(2)
        tx_id = node.chain.send(plain(None, TO, 5))
        mined = node.mine()
        node.faults.lag = 1
        assert number(await ask(node, "wallet/getnowblock")) == 2
        assert await ask(node, BLOCK, num=3) == {}
        assert await ask(node, "wallet/getblock", id_or_num=mined.hash) == {}
        assert await ask(node, INFOS, num=3) == []
        assert await ask(node, "wallet/gettransactioninfobyid", value=tx_id) == {}
        assert await ask(node, "wallet/gettransactionbyid", value=tx_id) == {}
        assert await ask(node, "wallet/getaccount", address=SHOP_WIRE) == {}


async def test_a_lie_leaves_the_truth_as_it_was() -> None:
    async with open_tron() as node:
        node.chain.send(plain(contract(USDT), TO, 5))
        node.mine()
        block, infos = await ask(node, BLOCK, num=1), await ask(node, INFOS, num=1)
        node.faults.lie = "other amount"
        assert await ask(node, BLOCK, num=1) != block
        assert await ask(node, INFOS, num=1) != infos
        node.faults.lie = None
        assert await ask(node, BLOCK, num=1) == block
        assert await ask(node, INFOS, num=1) == infos


async def test_a_lie_of_nothing_leaves_out_what_java_tron_leaves_out() -> None:
    async with open_tron() as node:
        node.chain.send(plain(None, TO, 5))
        node.mine()
        node.faults.lie = "no transfers"
        assert "transactions" not in await ask(node, BLOCK, num=1)
        assert await ask(node, INFOS, num=1) == []


async def test_what_is_paid_twice_as_much_in_a_lie_has_an_id_that_fits() -> None:
    async with open_tron() as node:
        orders = (
            plain(contract(USDT), TO, 5),
            plain(contract(USDD), TO, 2**255),
            plain(None, TO, 5),
            collectible(None, TO, 5),
        )
        for order in orders:
            node.chain.send(order)
            true = node.mine()
            node.faults.lie = "other amount"
            block = await ask(node, BLOCK, num=true.number)
            infos = await ask(node, INFOS, num=true.number)
            assert block["transactions"][0]["txID"] == infos[0]["id"] != true.infos[0]["id"]
            assert block["blockID"] == true.hash
            node.faults.lie = None


async def test_without_results_the_block_is_there_and_its_infos_are_not() -> None:
    async with open_tron() as node:
        tx_id = node.chain.send(plain(None, TO, 5))
        node.mine()
        node.faults.absent = True
        assert (await ask(node, BLOCK, num=1))["transactions"][0]["txID"] == tx_id
        assert await ask(node, INFOS, num=1) == []
        assert await ask(node, "wallet/gettransactioninfobyid", value=tx_id) == {}


async def test_a_refusal_carries_its_status_and_how_long_to_wait() -> None:
    async with open_tron() as node, aiohttp.ClientSession() as session:
        node.faults.status, node.faults.retry_after = 429, 17
        async with session.post(f"{node.url}/{BLOCK}", json={"num": 0}) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "17")
        node.faults.status = None
        async with session.post(f"{node.url}/{BLOCK}", json={"num": 0}) as response:
            assert (response.status, "Retry-After" in response.headers) == (200, False)
