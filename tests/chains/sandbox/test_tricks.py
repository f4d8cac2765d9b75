"""What only looks like a payment, or is one in disguise: its shape, and what a client makes of it.

What a real EVM makes of the same calls is in `test_evm_anvil.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

from chains.sandbox.control import Way
from chains.sandbox.evm.contracts import CRIER, FORCER, HOLDER, LENDER, PAY
from chains.sandbox.evm.node import EvmNode
from chains.sandbox.tron.node import TronNode
from tests.chains.sandbox import evm, tron
from tests.chains.sandbox.evm import POLYGON_USDC, SHOP, open_client, open_evm, rpc
from tests.chains.sandbox.tron import ask, open_tron, read
from watcher.domain.money import Address

Json = dict[str, Any]

USDT = evm.contract(evm.USDT)
MALFORMED: list[tuple[Way, int, int]] = [
    ("indexed", 4, 0),
    ("malformed", 3, 64),
    ("dirty", 3, 32),
    ("poison", 3, 32),
    ("approval", 3, 32),
]


async def done(node: EvmNode, way: Way, units: int = 250, token: str | None = USDT) -> Json:
    """Order it, mine it; its receipt, whose transaction succeeded."""
    order = {"to": SHOP, "units": str(units), "contract": token, "way": way}
    await rpc(node, "sandbox_pay", order)
    receipt: Json = node.mine().receipts[-1]
    assert receipt["status"] == "0x1"
    return receipt


async def told(node: EvmNode) -> list[int]:
    """What the client finds for the shop in the newest block."""
    async with open_client(node) as client:
        block = await client.block(node.chain.head.number)
    assert block is not None
    return [transfer.units for transfer in block.transfers if transfer.to == SHOP]


async def tokens(node: EvmNode, token: str = USDT) -> int:
    call = {"to": token, "data": f"0x70a08231{int(SHOP, 16):064x}"}
    return int(await rpc(node, "eth_call", call, "latest"), 16)


@pytest.mark.parametrize(("way", "topics", "size"), MALFORMED)
async def test_a_true_tokens_log_of_another_shape_pays_nothing(
    way: Way, topics: int, size: int
) -> None:
    async with open_evm() as node:
        (log,) = (await done(node, way))["logs"]
        assert log["address"] == USDT
        assert (len(log["topics"]), len(log["data"]) // 2 - 1) == (topics, size)
        assert log["topics"][2].endswith(SHOP[2:])
        assert (await told(node), await tokens(node)) == ([], 0)


async def test_the_shapes_differ_from_a_payment_in_what_they_are_named_for() -> None:
    async with open_evm() as node:
        good, dirty, approval, poison = [
            (await done(node, way))["logs"][0] for way in ("pulled", "dirty", "approval", "poison")
        ]
    assert dirty["topics"][2] == f"0x{'ff' * 12}{SHOP[2:]}"
    assert (dirty["topics"][:2], dirty["data"]) == (good["topics"][:2], good["data"])
    assert approval["topics"][1:] == good["topics"][1:]
    assert approval["topics"][0].startswith("0x8c5be1e5")
    assert (poison["topics"], int(poison["data"], 16)) == (good["topics"], 0)


async def test_an_event_of_a_contract_that_is_no_token_pays_nothing() -> None:
    async with open_evm() as node:
        forged = (await done(node, "forged"))["logs"][0]
        true = (await done(node, "pulled"))["logs"][0]
        assert (forged["topics"], forged["data"]) == (true["topics"], true["data"])
        assert (forged["address"], true["address"]) == (CRIER, USDT)
        assert await tokens(node) == 250


async def test_a_token_that_says_no_by_its_answer_logs_and_moves_nothing() -> None:
    async with open_evm() as node:
        receipt = await done(node, "denied")
        (tx,) = node.chain.head.block["transactions"]
        assert tx["input"].startswith(f"0x{PAY.hex()}{int(SHOP, 16):064x}{250:064x}")
        assert receipt["logs"] == []
        assert node.chain.head.traces[0]["result"]["output"] == f"0x{0:064x}"
        assert (await told(node), await tokens(node)) == ([], 0)


async def test_a_token_pulled_by_somebody_else_pays() -> None:
    async with open_evm() as node:
        receipt = await done(node, "pulled")
        assert receipt["from"] != HOLDER
        assert (await told(node), await tokens(node)) == ([250], 250)


@pytest.mark.parametrize(
    ("way", "logged", "held"), [("skimmed", [250], 248), ("bounced", [250], 0)]
)
async def test_a_log_may_say_more_than_the_balance_does(
    way: Way, logged: list[int], held: int
) -> None:
    async with open_evm() as node:
        await done(node, way)
        assert (await told(node), await tokens(node)) == (logged, held)


async def test_two_payments_in_one_transaction_are_two() -> None:
    async with open_evm() as node:
        await done(node, "twice")
        assert (await told(node), await tokens(node)) == ([250, 250], 500)


@pytest.mark.parametrize(
    ("way", "kind", "by", "held"),
    [("forced", "SELFDESTRUCT", FORCER, 5), ("lent", "DELEGATECALL", LENDER, 0)],
)
async def test_a_trace_names_who_is_forced_and_who_lends(
    way: Way, kind: str, by: Address, held: int
) -> None:
    async with open_evm() as node:
        receipt = await done(node, way, 5, None)
        assert receipt["logs"] == []
        (call,) = node.chain.head.traces[0]["result"]["calls"]
        assert (call["type"], call["from"], call["to"], call["value"]) == (kind, by, SHOP, "0x5")
        assert int(await rpc(node, "eth_getBalance", SHOP, "latest"), 16) == held


async def test_what_a_contract_forces_leaves_no_log_on_polygon_either() -> None:
    async with open_evm(evm.polygon_flavour()) as node:
        logs = (await done(node, "forced", 5, None))["logs"]
        assert [SHOP[2:] in "".join(log["topics"]) for log in logs] == [False, False]
        assert int(await rpc(node, "eth_getBalance", SHOP, "latest"), 16) == 5


@pytest.mark.parametrize("token", [None, POLYGON_USDC.contract])
async def test_a_message_that_fails_commits_to_that_and_moves_nothing(token: str | None) -> None:
    async with open_evm(evm.polygon_flavour()) as node:
        (log,) = (await done(node, "stranded", 5, token))["logs"]
        assert int(log["data"], 16) == 0
        assert log["address"] == f"0x{'1001'.zfill(40)}"
        assert int(await rpc(node, "eth_getBalance", SHOP, "latest"), 16) == 0
        assert await tokens(node, evm.contract(POLYGON_USDC)) == 0


@pytest.mark.parametrize(
    ("way", "token"),
    [("skimmed", None), ("forced", USDT), ("overtime", None), ("starved", USDT)],
)
async def test_what_cannot_be_done_so_is_refused(way: Way, token: str | None) -> None:
    async with open_evm() as node:
        with pytest.raises(RuntimeError, match=f"no payment of .* here is {way}"):
            await done(node, way, 5, token)
        assert node.mine().receipts == []


async def test_no_evm_network_has_memos() -> None:
    async with open_evm() as node:
        with pytest.raises(RuntimeError, match="memo: only Tron's"):
            await rpc(node, "sandbox_pay", {"to": SHOP, "units": "5", "memo": "for you"})


# The same on Tron, and what only Tron has.


async def told_by_tron(node: TronNode, **order: object) -> list[int]:
    """Order it, mine it; what the client finds for the shop."""
    answer = await ask(node, "sandbox_pay", to=tron.SHOP, **order)
    assert isinstance(answer, str), answer
    block = await read(node, node.mine().number)
    return [transfer.units for transfer in block.transfers if transfer.to == tron.SHOP]


@pytest.mark.parametrize(
    ("way", "units"),
    [
        *[(way, []) for way, _, _ in MALFORMED],
        *[("forged", []), ("denied", []), ("fake", []), ("nft", []), ("reverted", [])],
        *[("failed", []), ("starved", []), ("overtime", [])],
        *[("pulled", [250]), ("skimmed", [250]), ("bounced", [250]), ("twice", [250, 250])],
    ],
)
async def test_what_a_true_token_is_made_to_say_pays_on_tron_as_on_ethereum(
    way: Way, units: list[int]
) -> None:
    async with open_tron() as node:
        order = {"units": "250", "contract": tron.USDT.contract, "way": way}
        assert await told_by_tron(node, **order) == units


@pytest.mark.parametrize(
    ("way", "result", "logs"),
    [("failed", "REVERT", 0), ("starved", "OUT_OF_ENERGY", 0), ("overtime", "OUT_OF_TIME", 1)],
)
async def test_only_what_runs_out_of_time_leaves_logs(way: Way, result: str, logs: int) -> None:
    async with open_tron() as node:
        order = {"units": "250", "contract": tron.USDT.contract, "way": way}
        assert await told_by_tron(node, **order) == []
        (info,) = node.chain.head.infos
        assert (info["result"], info["receipt"]["result"]) == ("FAILED", result)
        assert len(info.get("log", [])) == logs


async def test_trx_that_a_contract_forces_is_an_inner_call_of_its_own_name() -> None:
    async with open_tron() as node:
        assert await told_by_tron(node, units="5", way="forced") == [5]
        (call,) = node.chain.head.infos[0]["internal_transactions"]
        assert bytes.fromhex(call["note"]) == b"suicide"
        assert call["callValueInfo"] == [{"callValue": 5}]


async def test_trx_that_a_contract_only_lends_itself_with_goes_nowhere() -> None:
    async with open_tron() as node:
        assert await told_by_tron(node, units="5", way="lent") == []
        (call,) = node.chain.head.infos[0]["internal_transactions"]
        assert call["caller_address"] == call["transferTo_address"]
        assert call["callValueInfo"] == [{}]


async def test_a_memo_claims_what_it_likes_and_is_proven_with_the_rest() -> None:
    async with open_tron() as node:
        memo = "paid 1000000 USDT ✓"
        assert await told_by_tron(node, units="1", memo=memo) == [1]
        block = await ask(node, "wallet/getblockbynum", num=1)
        (tx,) = block["transactions"]
        assert bytes.fromhex(tx["raw_data"]["data"]).decode() == memo
        assert memo.encode().hex() in tx["raw_data_hex"]
