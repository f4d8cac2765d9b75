"""What the unmodified client finds in blocks of every kind of payment, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from chains.sandbox.control import Way
from chains.sandbox.evm.contracts import BATCH, TRAP, token_transfer
from chains.sandbox.tron.accounts import inner, payer
from chains.sandbox.tron.flavour import FAKE_COIN
from chains.sandbox.tron.node import TronNode
from chains.sandbox.tron.orders import Ending, Order
from chains.sandbox.tron.payments import batch, failed, internal, plain, reverted
from chains.tvm.address import text
from chains.tvm.blocks import listing_of, read_block
from chains.tvm.proof import prove
from tests.chains.sandbox.tron import (
    ASSETS,
    COIN,
    OTHER,
    SHOP,
    TRON,
    TRX,
    USDD,
    USDT,
    ask,
    contract,
    open_tron,
    read,
)
from watcher.domain.money import Address, Method

Found = list[tuple[Method, str, Address, int]]
TOYS = [text(bytes.fromhex(toy[2:])) for toy in (BATCH, TRAP)]
SHOP_INSIDE, OTHER_INSIDE = inner(SHOP), inner(OTHER)
WORTHLESS = replace(COIN, contract=Address(FAKE_COIN))


async def found(node: TronNode, *orders: Order) -> Found:
    """Mine the orders in one block; the transfers that the client finds to anyone but toys."""
    for order in orders:
        node.chain.send(order)
    block = await read(node, node.mine().number)
    return [(t.method, t.position, t.to, t.units) for t in block.transfers if t.to not in TOYS]


async def refusals(node: TronNode, *orders: Order) -> list[tuple[str, str]]:
    """Mine the orders in one block; what the client refuses in it, and why."""
    for order in orders:
        node.chain.send(order)
    mined = node.mine()
    answers = msgspec.json.encode(mined.block), msgspec.json.encode(mined.infos)
    reading = read_block(*answers, listing_of(TRON, ASSETS))
    return [(no.position, no.reason) for no in reading.refusals]


def shops(units: int, ending: Ending = "SUCCESS") -> Order:
    """A payment of USDT to the shop."""
    return replace(plain(contract(USDT), SHOP_INSIDE, units), ending=ending)


async def test_an_empty_block_is_proven_and_has_nothing() -> None:
    async with open_tron() as node:
        assert await found(node) == []


async def test_plain_payments_are_found_in_order() -> None:
    async with open_tron() as node:
        orders = (
            plain(None, SHOP_INSIDE, 5),
            plain(contract(USDT), OTHER_INSIDE, 7),
            Order(SHOP_INSIDE, 8, coin="1000002"),
            plain(contract(USDD), SHOP_INSIDE, 2**200),
            plain(None, SHOP_INSIDE, 9),
        )
        assert await found(node, *orders) == [
            (TRX.method, "value", SHOP, 5),
            (USDT.method, "log/0", OTHER, 7),
            (COIN.method, "value/1000002", SHOP, 8),
            (USDD.method, "log/0", SHOP, 2**200),
            (TRX.method, "value", SHOP, 9),
        ]


async def test_a_transfer_names_its_transaction_and_its_payer() -> None:
    async with open_tron() as node:
        tx_id = node.chain.send(plain(None, SHOP_INSIDE, 5), 3)
        (transfer,) = (await read(node, node.mine().number)).transfers
        assert transfer.tx_hash == tx_id
        assert transfer.sender == text(bytes.fromhex(payer(3).address[2:]))


async def test_two_equal_payments_are_two() -> None:
    async with open_tron() as node:
        ids = {node.chain.send(plain(None, SHOP_INSIDE, 5), 3) for _ in range(2)}
        block = await read(node, node.mine().number)
        assert {transfer.tx_hash for transfer in block.transfers} == ids
        assert len(ids) == 2


async def test_a_batch_pays_two() -> None:
    async with open_tron() as node:
        token = contract(USDT)
        order = batch(
            [token_transfer(token, SHOP_INSIDE, 5), token_transfer(token, OTHER_INSIDE, 6)]
        )
        assert await found(node, order) == [
            (USDT.method, "log/0", SHOP, 5),
            (USDT.method, "log/1", OTHER, 6),
        ]


async def test_two_payments_to_one_address_in_one_transaction_both_count() -> None:
    async with open_tron() as node:
        order = batch([token_transfer(contract(USDT), SHOP_INSIDE, 5)] * 2)
        assert await found(node, order) == [
            (USDT.method, "log/0", SHOP, 5),
            (USDT.method, "log/1", SHOP, 5),
        ]


async def test_trx_from_a_contract_is_found_by_its_place_among_the_calls() -> None:
    async with open_tron() as node:
        assert await found(node, internal(None, SHOP_INSIDE, 5)) == [
            (TRX.method, "internal/0", SHOP, 5)
        ]


async def test_a_call_of_nothing_does_nothing() -> None:
    async with open_tron() as node:
        assert await found(node, batch([])) == []
        assert node.chain.head.infos[0]["receipt"]["result"] == "SUCCESS"


async def test_a_token_that_returns_false_is_paid_all_the_same() -> None:
    async with open_tron() as node:
        assert await found(node, shops(5)) == [(USDT.method, "log/0", SHOP, 5)]
        assert node.chain.head.infos[0]["contractResult"] == [64 * "0"]


async def test_a_rejected_inner_call_pays_nothing_though_its_transaction_succeeds() -> None:
    async with open_tron() as node:
        assert await found(node, reverted(None, SHOP_INSIDE, 5)) == []
        (info,) = node.chain.head.infos
        assert "result" not in info
        assert [call.get("rejected") for call in info["internal_transactions"]] == [True, True]
        refused = await refusals(node, reverted(None, SHOP_INSIDE, 5))
        assert refused == [("internal/0", "rejected call"), ("internal/1", "rejected call")]


async def test_a_token_in_a_rejected_inner_call_logs_nothing() -> None:
    async with open_tron() as node:
        assert await found(node, reverted(contract(USDT), SHOP_INSIDE, 5)) == []
        assert "log" not in node.chain.head.infos[0]


@pytest.mark.parametrize("ending", ["REVERT", "OUT_OF_ENERGY"])
async def test_what_fails_leaves_no_log(ending: Ending) -> None:
    async with open_tron() as node:
        assert await found(node, shops(5, ending)) == []
        (info,), (tx,) = node.chain.head.infos, node.chain.head.block["transactions"]
        assert (info["result"], info["receipt"]["result"]) == ("FAILED", ending)
        assert tx["ret"] == [{"contractRet": ending}]
        assert "log" not in info
        assert await refusals(node, shops(5, ending)) == []


async def test_a_contract_that_refuses_makes_the_transaction_fail() -> None:
    async with open_tron() as node:
        order = replace(shops(5), units=1)  # a token takes no TRX
        assert await found(node, order) == []
        assert node.chain.head.infos[0]["receipt"]["result"] == "REVERT"
        assert await refusals(node, order) == [("value", "failed transaction")]


async def test_what_runs_out_of_time_keeps_its_log_and_pays_nothing() -> None:
    async with open_tron() as node:
        assert await found(node, shops(5, "OUT_OF_TIME")) == []
        assert len(node.chain.head.infos[0]["log"]) == 1
        assert await refusals(node, shops(5, "OUT_OF_TIME")) == [("log/0", "failed transaction")]


async def test_trx_in_a_failed_call_moves_neither_to_the_contract_nor_on() -> None:
    async with open_tron() as node:
        assert await found(node, failed(None, SHOP_INSIDE, 5)) == []
        assert await refusals(node, failed(None, SHOP_INSIDE, 5)) == [
            ("value", "failed transaction"),
            ("internal/0", "failed transaction"),
        ]
        (call,) = node.chain.head.infos[0]["internal_transactions"]
        assert call["rejected"] is True
        assert await ask(node, "wallet/getaccount", address="41" + "a1" * 20) == {}
        assert await ask(node, "wallet/getaccount", address="41" + BATCH[2:]) == {}


async def test_a_worthless_coin_named_like_a_token_is_not_found() -> None:
    async with open_tron() as node:
        orders = [Order(SHOP_INSIDE, 5, coin=name) for name in (FAKE_COIN, "USDT")]
        assert await found(node, *orders) == []
        assert prove_all(node) == 2


def prove_all(node: TronNode) -> int:
    """How many transactions the newest block is proven to have."""
    head = node.chain.head
    return len(prove(msgspec.json.encode(head.block), msgspec.json.encode(head.infos)).done)


async def test_an_amount_of_zero_is_refused() -> None:
    async with open_tron() as node:
        assert await found(node, shops(0)) == []
        assert await refusals(node, shops(0)) == [("log/0", "amount is zero")]


@pytest.mark.parametrize(
    ("way", "token", "paid"),
    [
        ("plain", None, [(TRX.method, "value", SHOP, 5)]),
        ("plain", USDT.contract, [(USDT.method, "log/0", SHOP, 5)]),
        ("plain", COIN.contract, [(COIN.method, "value/1000002", SHOP, 5)]),
        ("plain", WORTHLESS.contract, []),
        ("internal", None, [(TRX.method, "internal/0", SHOP, 5)]),
        ("internal", USDT.contract, [(USDT.method, "log/0", SHOP, 5)]),
        ("failed", None, []),
        ("failed", USDT.contract, []),
        ("reverted", None, []),
        ("reverted", USDT.contract, []),
        ("fake", USDT.contract, []),
        ("nft", None, []),
    ],
)
async def test_every_way_that_may_be_ordered(way: Way, token: str | None, paid: Found) -> None:
    async with open_tron() as node:
        order = {"to": SHOP, "units": "5", "contract": token, "way": way}
        tx_id = await ask(node, "sandbox_pay", **order)
        assert await found(node) == paid
        assert [tx["txID"] for tx in node.chain.head.block["transactions"]] == [tx_id]


async def test_a_look_alike_has_the_symbol_of_the_true_token() -> None:
    async with open_tron() as node:
        await ask(node, "sandbox_pay", to=SHOP, units="5", contract=USDT.contract, way="fake")
        address = node.mine().infos[0]["contract_address"]
        call = {"owner_address": address, "function_selector": "symbol()"}
        true = await ask(
            node,
            "wallet/triggerconstantcontract",
            **{**call, "contract_address": "41" + contract(USDT)[2:]},
        )
        false = await ask(
            node, "wallet/triggerconstantcontract", **{**call, "contract_address": address}
        )
        assert true["constant_result"] == false["constant_result"]
        assert address != "41" + contract(USDT)[2:]
