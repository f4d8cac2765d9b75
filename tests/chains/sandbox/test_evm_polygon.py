"""Polygon's flavour: what the chain logs by itself, bridge deposits, sealed headers.

Proven by what every EVM block is proven by. Polygon's own rules for reading them are not here.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from coincurve import PublicKey

from chains.base import ChainDataError, ClientOptions, EndpointSettings
from chains.ethereum import ETHEREUM
from chains.evm import rlp
from chains.evm.address import of_key
from chains.evm.client import EvmClient
from chains.evm.encoding import encode_transaction
from chains.evm.header import encode_header
from chains.evm.messages import Block, Transaction
from chains.evm.proof import prove
from chains.evm.trie import list_root
from chains.evm.worker import read_here
from chains.sandbox.evm.chain import Mined
from chains.sandbox.evm.contracts import BATCH, TRANSFER
from chains.sandbox.evm.node import EvmNode
from chains.sandbox.evm.payments import failed, internal, plain, reverted
from chains.sandbox.evm.polygon import (
    COIN,
    DEPOSIT,
    LOG_FEE_TRANSFER,
    LOG_TRANSFER,
    NOBODY,
    PRODUCER,
    STATE_COMMITTED,
    STATE_RECEIVER,
    TOKEN_OF_COIN,
    state_sync,
)
from tests.chains.sandbox.evm import (
    OTHER,
    POL,
    POLYGON_USDC,
    SHOP,
    contract,
    open_evm,
    polygon_flavour,
    rpc,
)

Json = dict[str, Any]
USDC = contract(POLYGON_USDC)


def check(mined: Mined) -> None:
    """Header, receiptsRoot, bloom, places; raises ChainDataError."""
    check_answers(mined.block, mined.receipts)


def check_answers(block: Json, receipts: list[Json]) -> None:
    prove(msgspec.json.encode(block), msgspec.json.encode(receipts))


def coin_moves(receipt: Json) -> list[tuple[str, str, int]]:
    """(from, to, units) of the moves by the rule: LogTransfer with the coin as its first topic."""
    return [
        (address(log["topics"][2]), address(log["topics"][3]), words(log)[0])
        for log in receipt["logs"]
        if log["address"] == COIN and log["topics"][:2] == [LOG_TRANSFER, f"0x{int(COIN, 16):064x}"]
    ]


def address(topic: str) -> str:
    assert topic.startswith("0x" + 24 * "0")
    return f"0x{topic[-40:]}"


def words(log: Json) -> list[int]:
    data = log["data"][2:]
    return [int(data[at : at + 64], 16) for at in range(0, len(data), 64)]


def topics(receipt: Json) -> list[str]:
    return [log["topics"][0] for log in receipt["logs"]]


def sender(mined: Mined) -> str:
    return mined.sent[0].sender


async def test_a_payment_of_the_coin_is_logged_before_its_fee() -> None:
    async with open_evm(polygon_flavour()) as node:
        node.chain.send(plain(None, SHOP, 5))
        mined = node.mine()
        check(mined)
        (receipt,) = mined.receipts
        assert topics(receipt) == [LOG_TRANSFER, LOG_FEE_TRANSFER]
        assert coin_moves(receipt) == [(sender(mined), SHOP, 5)]


async def test_the_balances_in_the_logs_are_those_of_the_accounts() -> None:
    async with open_evm(polygon_flavour()) as node:
        for units in (5, 7):
            node.chain.send(plain(None, SHOP, units))
        mined = node.mine()
        logs = [receipt["logs"][0] for receipt in mined.receipts]
        seen = [(before, after) for _, _, before, _, after in map(words, logs)]
        assert seen == [(0, 5), (5, 12)]
        for _, payer, _, payer_after, _ in map(words, logs):
            assert payer - payer_after in (5, 7)
        amount, _, producer, _, producer_after = words(mined.receipts[0]["logs"][-1])
        assert producer_after - producer == amount > 0
        assert await rpc(node, "eth_getBalance", SHOP, "latest") == hex(12)


async def test_an_internal_payment_is_logged_too() -> None:
    async with open_evm(polygon_flavour()) as node:
        node.chain.send(internal(None, SHOP, 5))
        mined = node.mine()
        check(mined)
        assert coin_moves(mined.receipts[0]) == [(sender(mined), BATCH, 5), (BATCH, SHOP, 5)]


async def test_a_reverted_inner_payment_leaves_no_log() -> None:
    async with open_evm(polygon_flavour()) as node:
        node.chain.send(reverted(None, SHOP, 5))
        mined = node.mine()
        check(mined)
        assert mined.receipts[0]["status"] == "0x1"
        assert coin_moves(mined.receipts[0]) == [(sender(mined), BATCH, 5)]


async def test_a_failed_payment_leaves_only_the_log_of_its_fee() -> None:
    async with open_evm(polygon_flavour()) as node:
        node.chain.send(failed(None, SHOP, 5))
        mined = node.mine()
        check(mined)
        assert mined.receipts[0]["status"] == "0x0"
        assert topics(mined.receipts[0]) == [LOG_FEE_TRANSFER]


async def test_a_payment_of_nothing_is_not_logged() -> None:
    async with open_evm(polygon_flavour()) as node:
        node.chain.send(plain(None, SHOP, 0))
        assert topics(node.mine().receipts[0]) == [LOG_FEE_TRANSFER]


async def test_the_coins_own_contract_logs_a_payment_four_times_and_it_counts_once() -> None:
    async with open_evm(polygon_flavour()) as node:
        node.chain.send(plain(COIN, SHOP, 5))
        mined = node.mine()
        check(mined)
        (receipt,) = mined.receipts
        expected = [LOG_TRANSFER, LOG_TRANSFER, TRANSFER, LOG_TRANSFER, LOG_FEE_TRANSFER]
        assert topics(receipt) == expected
        assert coin_moves(receipt) == [(sender(mined), COIN, 5), (COIN, SHOP, 5)]
        own = receipt["logs"][3]
        assert address(own["topics"][1]) == TOKEN_OF_COIN
        assert [address(topic) for topic in own["topics"][2:]] == [sender(mined), SHOP]
        assert await rpc(node, "eth_getBalance", SHOP, "latest") == "0x5"
        assert await rpc(node, "eth_getBalance", COIN, "latest") == "0x0"


async def test_a_token_payment_logs_no_coin() -> None:
    async with open_evm(polygon_flavour()) as node:
        node.chain.send(plain(USDC, SHOP, 5))
        mined = node.mine()
        check(mined)
        assert topics(mined.receipts[0]) == [TRANSFER, LOG_FEE_TRANSFER]


async def test_the_coin_comes_over_the_bridge_in_the_last_transaction() -> None:
    async with open_evm(polygon_flavour()) as node:
        node.chain.bridge(SHOP, 5)
        node.chain.send(plain(None, OTHER, 1))
        mined = node.mine()
        check(mined)
        tx, receipt = mined.block["transactions"][-1], mined.receipts[-1]
        assert (tx["type"], tx["from"], tx["to"], tx["gas"]) == ("0x7f", NOBODY, NOBODY, "0x0")
        assert (receipt["type"], receipt["status"], receipt["gasUsed"]) == ("0x7f", "0x1", "0x0")
        assert receipt["cumulativeGasUsed"] == mined.receipts[0]["cumulativeGasUsed"]
        assert topics(receipt) == [LOG_TRANSFER, DEPOSIT, STATE_COMMITTED]
        assert coin_moves(receipt) == [(COIN, SHOP, 5)]
        assert await rpc(node, "eth_getBalance", SHOP, "latest") == "0x5"


async def test_a_token_comes_over_the_bridge_out_of_nothing() -> None:
    async with open_evm(polygon_flavour()) as node:
        node.chain.bridge(SHOP, 5, USDC)
        mined = node.mine()
        check(mined)
        transfer, committed = mined.receipts[0]["logs"]
        assert [address(topic) for topic in transfer["topics"][1:]] == [NOBODY, SHOP]
        assert (transfer["address"], words(transfer)) == (USDC, [5])
        assert (committed["address"], words(committed)) == (STATE_RECEIVER, [1])


async def test_a_message_that_fails_brings_nothing() -> None:
    async with open_evm(polygon_flavour()) as node:
        node.chain.bridge(SHOP, 5, succeeds=False)
        mined = node.mine()
        check(mined)
        (committed,) = mined.receipts[0]["logs"]
        assert (committed["topics"][0], words(committed)) == (STATE_COMMITTED, [0])
        assert await rpc(node, "eth_getBalance", SHOP, "latest") == "0x0"


async def test_several_messages_share_one_transaction() -> None:
    async with open_evm(polygon_flavour()) as node:
        node.chain.bridge(SHOP, 5)
        node.chain.bridge(OTHER, 6, USDC)
        mined = node.mine()
        check(mined)
        (receipt,) = mined.receipts
        expected = [LOG_TRANSFER, DEPOSIT, STATE_COMMITTED, TRANSFER, STATE_COMMITTED]
        assert topics(receipt) == expected


async def test_the_root_commits_to_messages_that_no_answer_shows() -> None:
    async with open_evm(polygon_flavour()) as node:
        node.chain.bridge(SHOP, 5)
        node.chain.send(plain(None, OTHER, 1))
        mined = node.mine()
        fields, encoded = state_sync(mined.messages)
        assert f"0x{rlp.hashed(encoded)}" == fields["hash"]
        sent = encode_transaction(msgspec.convert(mined.block["transactions"][0], Transaction))
        assert mined.block["transactionsRoot"] == f"0x{list_root([sent, encoded])}"


async def test_a_changed_receipt_of_the_bridge_is_refused() -> None:
    async with open_evm(polygon_flavour()) as node:
        node.chain.bridge(SHOP, 5)
        mined = node.mine()
        changed = deepcopy(mined.receipts)
        log = changed[0]["logs"][0]
        log["data"] = f"0x{6:064x}{log['data'][66:]}"
        with pytest.raises(ChainDataError, match="receiptsRoot"):
            check_answers(mined.block, changed)


async def test_a_fork_may_keep_what_came_over_the_bridge() -> None:
    async with open_evm(polygon_flavour()) as node:
        node.chain.bridge(SHOP, 5)
        first = node.mine()
        kept = first.block["transactions"][0]["hash"]
        node.chain.fork(1, keep={kept})
        second = node.chain.head
        assert second.hash != first.hash
        assert second.block["transactions"][0]["hash"] == kept
        check(second)
        node.chain.fork(1)
        assert node.chain.head.receipts == []
        assert await rpc(node, "eth_getBalance", SHOP, "latest") == "0x0"


async def test_the_producer_sealed_the_header() -> None:
    async with open_evm(polygon_flavour()) as node:
        block = node.mine().block
    extra = bytes.fromhex(block["extraData"][2:])
    assert len(extra) == 32 + 65
    unsealed = msgspec.convert({**block, "extraData": f"0x{extra[:32].hex()}"}, Block)
    digest = rlp.digest(encode_header(unsealed))
    key = PublicKey.from_signature_and_message(extra[32:], digest, hasher=None)
    assert of_key(key.format(compressed=False)[1:]) == PRODUCER.address
    assert "withdrawalsRoot" not in block


async def test_every_kind_at_once_is_read_by_the_client_of_any_evm_network() -> None:
    """Where no bridge deposit is in it, the block needs nothing of Polygon's to be proven."""
    async with open_evm(polygon_flavour()) as node:
        for make in (plain, internal, failed, reverted):
            for token in (None, USDC):
                node.chain.send(make(token, SHOP, 5))
        node.chain.send(plain(COIN, SHOP, 5))
        node.mine()
        found = await transfers(node)
    # The plain one and the internal one; the coin is Polygon's own matter.
    assert found == [("polygon:usdc", "log/0"), ("polygon:usdc", "log/0")]


async def transfers(node: EvmNode) -> list[tuple[str, str]]:
    assets = (POL, POLYGON_USDC)
    spec = replace(ETHEREUM, name=POL.network, assets=assets)
    options = ClientOptions([EndpointSettings("a", node.url)], [POLYGON_USDC], 137, None)
    client = EvmClient(spec, options, read=read_here)
    try:
        block = await client.block(1)
    finally:
        await client.close()
    assert block is not None
    return [(transfer.method, transfer.position) for transfer in block.transfers]
