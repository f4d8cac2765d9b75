"""A real EVM is sent the same transactions, and must do what the sandbox says they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from chains.evm.encoding import encode_transaction
from chains.evm.messages import Transaction
from chains.sandbox.evm.contracts import (
    BATCH,
    COLLECTIBLE,
    CRIER,
    LENDER,
    batch,
    token_transfer,
    trapped,
)
from chains.sandbox.evm.node import EvmNode
from chains.sandbox.evm.orders import Order
from chains.sandbox.evm.payments import collectible, failed, fake, internal, plain, reverted
from chains.sandbox.evm.tricks import trick
from tests.anvil import Anvil
from tests.chains.sandbox.evm import (
    OTHER,
    SHOP,
    USDC,
    USDT,
    contract,
    evm_client,
    open_evm,
    rpc,
)
from watcher.domain.blocks import Transfer

Json = dict[str, Any]

REFUSES = "0x5f5ffd"  # PUSH0 PUSH0 REVERT

ORDERS: dict[str, Sequence[Order]] = {
    "coin": [plain(None, SHOP, 5)],
    "token": [plain(contract(USDT), SHOP, 7)],
    "nothing of the coin": [plain(None, SHOP, 0)],
    "nothing of a token": [plain(contract(USDT), SHOP, 0)],
    "internal coin": [internal(None, SHOP, 5)],
    "internal token": [internal(contract(USDT), SHOP, 7)],
    "failed coin": [failed(None, SHOP, 5)],
    "failed token": [failed(contract(USDT), SHOP, 7)],
    "reverted coin": [reverted(None, SHOP, 5)],
    "reverted token": [reverted(contract(USDT), SHOP, 7)],
    "trap": [trapped(SHOP, 5)],
    "more than the batch has": [Order(BATCH, 4, batch([Order(SHOP, 5), Order(SHOP, 3)]).data)],
    "fake token": [fake(None, SHOP, 7)],
    "collectible": [collectible(None, SHOP, 7)],
    "unknown call of a token": [Order(contract(USDT), 0, b"\x12\x34\x56\x78")],
    "two in one": [batch([token_transfer(contract(USDT), SHOP, 7)] * 2)],
    "pulled": [trick("pulled", contract(USDT), SHOP, 7)],
    "skimmed": [trick("skimmed", contract(USDT), SHOP, 250)],
    "bounced": [trick("bounced", contract(USDT), SHOP, 7)],
    "twice the coin": [trick("twice", None, SHOP, 5)],
    "denied": [trick("denied", contract(USDT), SHOP, 7)],
    "lent": [trick("lent", None, SHOP, 5)],
    "forced": [trick("forced", None, SHOP, 5)],
    "forged": [trick("forged", None, SHOP, 7)],
    "indexed": [trick("indexed", contract(USDT), SHOP, 7)],
    "malformed": [trick("malformed", contract(USDT), SHOP, 7)],
    "dirty": [trick("dirty", contract(USDT), SHOP, 7)],
    "poison": [trick("poison", contract(USDT), SHOP, 7)],
    "approval": [trick("approval", contract(USDT), SHOP, 7)],
    "unknown call of what logs anything": [Order(CRIER, 0, b"\x12\x34\x56\x78")],
    "batch": [
        batch(
            [
                Order(SHOP, 1),
                trapped(OTHER, 2),
                token_transfer(contract(USDC), OTHER, 3),
                Order(OTHER, 4),
                batch([Order(SHOP, 5), token_transfer(contract(USDT), SHOP, 6)]),
                token_transfer(COLLECTIBLE, SHOP, 7),
            ]
        )
    ],
    "block": [
        plain(contract(USDT), SHOP, 1),
        plain(None, OTHER, 2),
        internal(contract(USDC), SHOP, 3),
        plain(None, SHOP, 4),
        reverted(None, SHOP, 5),
    ],
}


def copy_block(node: EvmNode, anvil: Anvil) -> None:
    """Mine in anvil what the newest block of the sandbox has, upon the same contracts."""
    for address, toy in node.chain.flavour.contracts.items():
        anvil.set_code(address, toy.code)
    for tx in node.chain.head.sent:
        if tx.refused:
            anvil.set_code(tx.fields["to"], REFUSES)
        anvil.rpc("anvil_setBalance", tx.sender, hex(10**27))
        raw = encode_transaction(msgspec.convert(tx.fields, Transaction))
        assert anvil.rpc("eth_sendRawTransaction", f"0x{raw.hex()}") == tx.hash
    anvil.mine()


async def transfers(url: str) -> tuple[Transfer, ...]:
    client = evm_client(url)
    try:
        block = await client.block(1)
    finally:
        await client.close()
    assert block is not None
    return block.transfers


def outcomes(receipts: Sequence[Json]) -> list[object]:
    """What of receipts does not depend on gas: outcome and logs, in full."""
    return [
        (
            receipt["transactionHash"],
            receipt["status"],
            receipt["logsBloom"],
            [(log["address"], log["topics"], log["data"], log["logIndex"]) for log in logs],
        )
        for receipt in receipts
        for logs in [receipt["logs"]]
    ]


def shape(frame: Json) -> object:
    """What of a call does not depend on gas."""
    told = [frame[name] for name in ("type", "from", "to", "value", "input")]
    return (*told, "error" in frame, [shape(inner) for inner in frame.get("calls", ())])


@pytest.mark.parametrize("orders", ORDERS.values(), ids=ORDERS)
async def test_a_real_evm_does_the_same(orders: Sequence[Order]) -> None:
    async with open_evm() as node:
        for order in orders:
            node.chain.send(order)
        mined = node.mine()
        with Anvil("--order", "fifo") as anvil:
            copy_block(node, anvil)
            assert await transfers(node.url) == await transfers(anvil.url)

            receipts = anvil.rpc("eth_getBlockReceipts", "0x1")
            assert outcomes(mined.receipts) == outcomes(receipts)
            traces = anvil.rpc("debug_traceBlockByNumber", "0x1", {"tracer": "callTracer"})
            assert [shape(trace["result"]) for trace in mined.traces] == [
                shape(trace["result"]) for trace in traces
            ]


async def test_a_real_evm_gives_the_same_balances_and_names() -> None:
    async with open_evm() as node:
        for order in (*ORDERS["block"], *ORDERS["skimmed"], *ORDERS["forced"], *ORDERS["lent"]):
            node.chain.send(order, 0)  # all by one payer, whose balances change as well
        node.mine()
        payer = node.chain.head.sent[0].sender
        with Anvil("--order", "fifo") as anvil:
            copy_block(node, anvil)
            for who in (SHOP, OTHER, LENDER):
                balance = await rpc(node, "eth_getBalance", who, "latest")
                assert balance == anvil.rpc("eth_getBalance", who, "latest")
            for token in (contract(USDT), contract(USDC)):
                for data in (
                    *(f"0x70a08231{int(who, 16):064x}" for who in (SHOP, OTHER, payer)),
                    *("0x313ce567", "0x95d89b41"),
                ):
                    call = {"to": token, "data": data}
                    said = await rpc(node, "eth_call", call, "latest")
                    assert said == anvil.rpc("eth_call", call, "latest")
