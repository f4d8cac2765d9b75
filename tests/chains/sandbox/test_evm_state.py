"""What accounts held after a block, as an audit asks for it, and what changes it untold."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from chains.sandbox.evm.flavour import ethereum
from chains.sandbox.evm.node import EvmNode
from chains.sandbox.evm.payments import plain
from tests.chains.sandbox.evm import (
    ETHEREUM,
    OTHER,
    SHOP,
    START,
    USDT,
    contract,
    open_client,
    open_evm,
    polygon_flavour,
    rpc,
)
from watcher.domain.money import Address

MULTICALL = Address("0xca11bde05977b3631167028862be2a173976ca11")
FEED = Address("0x" + "fe" * 20)
COIN_CONTRACT = "0x0000000000000000000000000000000000001010"
TOKEN = contract(USDT)
ETHER = 10**18


def word(value: int | str) -> str:
    return f"{int(value, 16) if isinstance(value, str) else value:064x}"


def balance_of(address: str) -> str:
    return f"70a08231{word(address)}"


def aggregate(questions: Sequence[tuple[str, bool, str]]) -> str:
    """The calldata of aggregate3, written out word by word."""
    tails = []
    for target, may_fail, data in questions:
        size = len(data) // 2
        padded = data.ljust(-(-size // 32) * 64, "0")
        tails.append(word(target) + word(int(may_fail)) + word(0x60) + word(size) + padded)
    starts, at = "", 32 * len(questions)
    for tail in tails:
        starts += word(at)
        at += len(tail) // 2
    return f"0x82ad56cb{word(0x20)}{word(len(questions))}{starts}{''.join(tails)}"


def answered(*results: tuple[bool, int]) -> str:
    """What aggregate3 gives for answers of one word each, written out."""
    starts = "".join(word(32 * len(results) + 0x80 * index) for index in range(len(results)))
    tails = "".join(word(int(good)) + word(0x40) + word(0x20) + word(n) for good, n in results)
    return f"0x{word(0x20)}{word(len(results))}{starts}{tails}"


async def ask(node: EvmNode, to: str, data: str, at: object = "latest") -> str:
    return str(await rpc(node, "eth_call", {"to": to, "data": data}, at))


async def held(node: EvmNode, who: str, at: object = "latest") -> int:
    return int(await rpc(node, "eth_getBalance", who, at), 16)


async def test_many_questions_get_one_answer_of_the_block_that_was_asked_for() -> None:
    async with open_evm() as node:
        node.chain.send(plain(None, SHOP, 5))
        node.chain.send(plain(TOKEN, SHOP, 7))
        node.mine()
        node.chain.send(plain(None, SHOP, 1))
        node.mine(2)
        questions = [
            (MULTICALL, False, "42cbb15c"),
            (MULTICALL, True, f"4d2301cc{word(SHOP)}"),
            (TOKEN, True, balance_of(SHOP)),
        ]
        for number, coins, units in [(1, 5, 7), (2, 6, 7), (3, 6, 7)]:
            said = await ask(node, MULTICALL, aggregate(questions), hex(number))
            assert said == answered((True, number), (True, coins), (True, units))
        assert await ask(node, MULTICALL, aggregate(questions), "0x0") == answered(
            (True, 0), (True, 0), (True, 0)
        )


async def test_a_question_that_may_fail_leaves_the_others_answered() -> None:
    async with open_evm() as node:
        node.mine()
        questions = [(TOKEN, True, "12345678"), (MULTICALL, False, "42cbb15c")]
        said = await ask(node, MULTICALL, aggregate(questions))
        nothing = word(0) + word(0x40) + word(0)
        number = word(1) + word(0x40) + word(0x20) + word(1)
        assert said == f"0x{word(0x20)}{word(2)}{word(0x40)}{word(0xA0)}{nothing}{number}"


@pytest.mark.parametrize(
    "data", [aggregate([(TOKEN, False, "12345678")]), "0x82ad56cb", "0x82ad56cb" + "ff" * 32, "0x"]
)
async def test_a_question_that_must_not_fail_and_what_is_none_are_errors(data: str) -> None:
    async with open_evm() as node:
        with pytest.raises(RuntimeError, match="'code': 3, 'message': 'execution reverted"):
            await ask(node, MULTICALL, data)


async def test_it_has_code_where_it_stands_on_every_evm_network() -> None:
    for flavour in (None, polygon_flavour()):
        async with open_evm(flavour) as node:
            assert await rpc(node, "eth_getCode", MULTICALL, "latest") != "0x"


async def test_the_coins_own_contract_knows_balances() -> None:
    async with open_evm(polygon_flavour()) as node:
        node.chain.send(plain(None, SHOP, 5))
        node.mine()
        assert int(await ask(node, COIN_CONTRACT, f"0x{balance_of(SHOP)}"), 16) == 5


async def test_a_block_may_be_named_by_its_hash() -> None:
    async with open_evm() as node:
        node.chain.send(plain(None, SHOP, 5))
        first = node.mine().hash
        node.mine()
        assert await held(node, SHOP, {"blockHash": first, "requireCanonical": True}) == 5
        assert await held(node, SHOP, {"blockNumber": "0x0"}) == 0
        node.chain.fork(2)
        for unknown in ({"blockHash": first}, {}):
            with pytest.raises(RuntimeError, match="header not found"):
                await held(node, SHOP, unknown)


async def test_a_node_may_forget_what_accounts_held() -> None:
    async with open_evm() as node:
        node.mine(5)
        node.faults.states = 2
        assert await held(node, SHOP, "0x4") == 0
        for ask_old in (held(node, SHOP, "0x3"), ask(node, MULTICALL, "0x42cbb15c", "0x3")):
            with pytest.raises(RuntimeError, match="missing trie node"):
                await ask_old


async def test_an_address_spends_what_came_to_it_and_pays_the_fee() -> None:
    async with open_evm() as node:
        node.chain.send(plain(None, SHOP, ETHER))
        node.mine()
        order = {"to": OTHER, "units": "5", "sender": SHOP}
        tx_hash = await rpc(node, "sandbox_pay", order)
        (receipt,) = node.mine().receipts
        assert (receipt["transactionHash"], receipt["from"]) == (tx_hash, SHOP)
        fee = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
        assert await held(node, SHOP) == ETHER - 5 - fee
        async with open_client(node) as client:
            block = await client.block(2)
        assert block is not None
        assert [(t.sender, t.to, t.units) for t in block.transfers] == [(SHOP, OTHER, 5)]


async def test_an_address_spends_tokens_that_it_holds() -> None:
    async with open_evm() as node:
        node.chain.send(plain(None, SHOP, ETHER))
        node.chain.send(plain(TOKEN, SHOP, 7))
        node.mine()
        order = {"to": OTHER, "contract": TOKEN, "sender": SHOP}
        with pytest.raises(RuntimeError, match=f"{SHOP} holds 7 of the token"):
            await rpc(node, "sandbox_pay", {**order, "units": "8"})
        await rpc(node, "sandbox_pay", {**order, "units": "3"})
        node.mine()
        left = [int(await ask(node, TOKEN, f"0x{balance_of(who)}"), 16) for who in (SHOP, OTHER)]
        assert left == [4, 3]


async def test_who_has_too_little_spends_nothing() -> None:
    async with open_evm() as node:
        node.chain.send(plain(None, SHOP, 5))
        node.mine()
        order = {"to": OTHER, "units": "5", "sender": SHOP}
        with pytest.raises(RuntimeError, match=r"insufficient funds for gas \* price \+ value"):
            await rpc(node, "sandbox_pay", order)
        with pytest.raises(RuntimeError, match="either a payer pays, or a sender"):
            await rpc(node, "sandbox_pay", {**order, "payer": 3})
        assert node.mine().receipts == []


async def test_what_was_to_be_spent_is_dropped_once_it_has_gone_with_a_fork() -> None:
    async with open_evm() as node:
        node.chain.send(plain(None, SHOP, ETHER))
        node.mine()
        await rpc(node, "sandbox_pay", {"to": OTHER, "units": "5", "sender": SHOP})
        node.chain.fork(1)
        assert node.mine().receipts == []
        assert (await held(node, SHOP), await held(node, OTHER)) == (0, 0)


async def test_a_balance_may_change_without_a_transaction() -> None:
    async with open_evm() as node:
        node.chain.send(plain(TOKEN, SHOP, 7))
        node.mine()
        await rpc(node, "sandbox_hold", {"address": SHOP, "units": "3", "contract": TOKEN})
        await rpc(node, "sandbox_hold", {"address": SHOP, "units": "9"})
        assert await held(node, SHOP) == 0
        assert node.mine().receipts == []
        assert await held(node, SHOP) == 9
        for number, units in [("0x1", 7), ("0x2", 3)]:
            assert int(await ask(node, TOKEN, f"0x{balance_of(SHOP)}", number), 16) == units
        node.chain.fork(1)
        assert await held(node, SHOP) == 0


async def test_a_feed_says_what_it_was_told_and_when() -> None:
    async with open_evm(ethereum(1, ETHEREUM.assets, [FEED])) as node:
        assert await ask(node, FEED, "0x313ce567") == f"0x{word(8)}"
        with pytest.raises(RuntimeError, match="execution reverted"):
            await ask(node, FEED, "0xfeaf968c")
        order = {"address": FEED, "price": "300000000000", "updated_at": START - 60}
        await rpc(node, "sandbox_feed", order)
        node.mine()
        said = (await ask(node, FEED, "0xfeaf968c"))[2:]
        turn, price, began, at, answered_in = (said[i : i + 64] for i in range(0, 320, 64))
        assert (price, began, at) == (word(3000 * 10**8), word(START - 60), word(START - 60))
        assert turn == answered_in != word(0)
        await rpc(node, "sandbox_feed", {"address": FEED, "price": "1"})
        node.mine()
        assert word(1) in await ask(node, FEED, "0xfeaf968c")
        assert word(START) in await ask(node, FEED, "0xfeaf968c")
        assert word(3000 * 10**8) in await ask(node, FEED, "0xfeaf968c", "0x1")


async def test_only_a_feed_can_be_fed() -> None:
    async with open_evm() as node:
        with pytest.raises(RuntimeError, match="no price feed at"):
            await rpc(node, "sandbox_feed", {"address": TOKEN, "price": "1"})
