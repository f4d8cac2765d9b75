"""What the unmodified client finds in blocks of every kind of payment."""

from __future__ import annotations

import pytest

from chains.sandbox.control import Way
from chains.sandbox.evm.contracts import BATCH, TRAP, batch, token_transfer, trapped
from chains.sandbox.evm.node import EvmNode
from chains.sandbox.evm.orders import Order, payer
from chains.sandbox.evm.payments import failed, internal, plain
from tests.chains.sandbox.evm import (
    ETH,
    OTHER,
    SHOP,
    USDC,
    USDT,
    contract,
    open_client,
    open_evm,
    rpc,
    traced,
)
from watcher.domain.money import Address, Method

Found = list[tuple[Method, str, Address, int]]


async def found(node: EvmNode, *orders: Order) -> Found:
    """Mine the orders in one block; the transfers that the client finds to anyone but toys."""
    for order in orders:
        node.chain.send(order)
    number = node.mine().number
    async with open_client(node) as client:
        block = await client.block(number)
    assert block is not None
    return [
        (t.method, t.position, t.to, t.units) for t in block.transfers if t.to not in (BATCH, TRAP)
    ]


async def test_an_empty_block_is_proven_and_has_nothing() -> None:
    async with open_evm() as node:
        assert await found(node) == []


async def test_plain_payments_are_found_in_order() -> None:
    async with open_evm() as node:
        orders = (plain(None, SHOP, 5), plain(contract(USDT), OTHER, 7), plain(None, SHOP, 9))
        assert await found(node, *orders) == [
            (ETH.method, "value", SHOP, 5),
            (USDT.method, "log/0", OTHER, 7),
            (ETH.method, "value", SHOP, 9),
        ]


async def test_a_transfer_names_its_transaction_and_its_payer() -> None:
    async with open_evm() as node:
        tx_hash = node.chain.send(plain(None, SHOP, 5), 3)
        node.mine()
        async with open_client(node) as client:
            block = await client.block(1)
    assert block is not None
    (transfer,) = block.transfers
    assert (f"0x{transfer.tx_hash}", transfer.sender) == (tx_hash, payer(3).address)


async def test_two_hundred_payments_in_a_block_are_found() -> None:
    async with open_evm() as node:
        orders = [plain(contract(USDT), SHOP, units) for units in range(1, 201)]
        assert [row[3] for row in await found(node, *orders)] == list(range(1, 201))


async def test_two_transfers_in_one_transaction_both_count() -> None:
    async with open_evm() as node:
        twice = batch([token_transfer(contract(USDT), SHOP, 7)] * 2)
        assert await found(node, twice) == [
            (USDT.method, "log/0", SHOP, 7),
            (USDT.method, "log/1", SHOP, 7),
        ]


async def test_a_batch_pays_many_in_several_coins() -> None:
    async with open_evm() as node:
        orders = [
            token_transfer(contract(USDT), SHOP, 1),
            Order(OTHER, 2),
            token_transfer(contract(USDC), OTHER, 3),
        ]
        tokens = [row for row in await found(node, batch(orders)) if row[0] != ETH.method]
        assert tokens == [(USDT.method, "log/0", SHOP, 1), (USDC.method, "log/1", OTHER, 3)]
        assert traced(node.chain.head.traces) == [[("", BATCH, 2), ("/1", OTHER, 2)]]


async def test_an_internal_payment_is_a_call_with_value_in_a_good_transaction() -> None:
    async with open_evm() as node:
        node.chain.send(internal(None, SHOP, 5))
        mined = node.mine()
        assert mined.receipts[0]["status"] == "0x1"
        traces = await rpc(node, "debug_traceBlockByHash", mined.hash, {"tracer": "callTracer"})
        assert [trace["txHash"] for trace in traces] == [mined.block["transactions"][0]["hash"]]
        assert traced(traces) == [[("", BATCH, 5), ("/0", SHOP, 5)]]
        assert await rpc(node, "eth_getBalance", SHOP, "latest") == "0x5"


async def test_a_reverted_inner_call_moves_nothing_though_its_transaction_is_good() -> None:
    async with open_evm() as node:
        node.chain.send(batch([trapped(SHOP, 5)]))
        mined = node.mine()
        assert mined.receipts[0]["status"] == "0x1"
        (root,) = [trace["result"] for trace in mined.traces]
        (inner,) = root["calls"]
        assert inner["error"] == "execution reverted"
        claimed = [(call["to"], call["value"], "error" in call) for call in inner["calls"]]
        assert claimed == [(SHOP, "0x5", False)]  # only the call above it tells
        assert traced(mined.traces) == [[("", BATCH, 5)]]
        assert await rpc(node, "eth_getBalance", SHOP, "latest") == "0x0"


@pytest.mark.parametrize("asset", [ETH, USDT], ids=["coin", "token"])
async def test_a_failed_payment_moves_and_logs_nothing(asset: object) -> None:
    async with open_evm() as node:
        token = None if asset is ETH else contract(USDT)
        assert await found(node, failed(token, SHOP, 5)) == []
        (receipt,) = node.chain.head.receipts
        assert (receipt["status"], receipt["logs"]) == ("0x0", [])
        assert await rpc(node, "eth_getBalance", SHOP, "latest") == "0x0"


NOTHING: list[tuple[Way, Address | None, int]] = [
    ("plain", None, 0),
    ("plain", contract(USDT), 0),
    ("reverted", contract(USDT), 5),
    ("fake", contract(USDT), 5),
    ("nft", None, 5),
]


@pytest.mark.parametrize(("way", "token", "units"), NOTHING)
async def test_what_only_looks_like_a_payment_is_none(
    way: Way, token: Address | None, units: int
) -> None:
    async with open_evm() as node:
        order = {"to": SHOP, "units": str(units), "contract": token, "way": way}
        await rpc(node, "sandbox_pay", order)
        assert await found(node) == []
        assert node.chain.head.receipts[0]["status"] == "0x1"


async def test_the_fake_token_calls_itself_like_the_true_one() -> None:
    async with open_evm() as node:
        symbol = [
            await rpc(node, "eth_call", {"to": to, "data": "0x95d89b41"}, "latest")
            for to in (contract(USDT), "0x" + "fa4e" * 10)
        ]
        assert symbol[0] == symbol[1]
        assert b"USDT" in bytes.fromhex(symbol[0][2:])


async def test_a_collectible_logs_four_topics_and_no_data() -> None:
    async with open_evm() as node:
        await rpc(node, "sandbox_pay", {"to": SHOP, "units": "3", "way": "nft"})
        (log,) = node.mine().receipts[0]["logs"]
        assert (len(log["topics"]), log["data"]) == (4, "0x")
