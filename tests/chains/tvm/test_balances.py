"""What accounts hold by a Tron node's final state: TRX, TRC-10, TRC-20; and what is no answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from chains.base import ChainDataError, ChainUnavailable, EndpointRefused, Holding
from chains.sandbox.tron.accounts import inner
from chains.sandbox.tron.orders import Order
from chains.sandbox.tron.payments import plain
from chains.tvm.address import raw
from chains.tvm.balances import ACCOUNT, AT_ONCE, CONSTANT
from chains.tvm.client import TronClient
from tests.chains.sandbox import tron as sandbox
from tests.chains.test_tron_client import TEN, TRX, USDT, open_client, states
from tests.chains.tvm.recorded import PRIVATE, chain
from tests.factories import make_hash
from tests.javatron import SOLID, Call, JavaTron, says, then
from watcher.domain.blocks import BlockRef
from watcher.domain.money import Address, Asset

SHOP, STRANGER = sandbox.SHOP, sandbox.OTHER
ASSETS = (TRX, TEN, USDT)


def wire(address: Address) -> str:
    return f"41{raw(address).hex()}"


async def answer_accounts(call: Call) -> web.StreamResponse:
    """SHOP holds 5 sun and 8 of TEN; nobody else was ever sent anything."""
    if call.params["address"] != wire(SHOP):
        return web.json_response({})
    assert TEN.contract is not None
    coins = [{"key": "1009999", "value": 99}, {"key": TEN.contract, "value": 8}]
    return web.json_response({"address": wire(SHOP), "balance": 5, "assetV2": coins})


async def answer_tokens(call: Call) -> web.StreamResponse:
    """SHOP holds 2**200 of USDT, by the shape that nodes answer with."""
    assert USDT.contract is not None
    asked = call.params["contract_address"], call.params["function_selector"]
    assert asked == (wire(USDT.contract), "balanceOf(address)")
    units = 2**200 if call.params["parameter"] == raw(SHOP).hex().zfill(64) else 0
    return web.json_response(constant(f"{units:064x}"))


def constant(*outputs: str, **result: Any) -> dict[str, Any]:
    """The answer to a call that changes nothing; of one that went well unless `result` differs."""
    return {"result": {"result": True, **result}, "constant_result": list(outputs)}


@pytest.fixture
async def node() -> AsyncIterator[JavaTron]:
    async with JavaTron(*chain(*PRIVATE)) as node:
        yield node


@pytest.fixture
async def holding(node: JavaTron) -> JavaTron:
    """The node, with accounts and a token; faults that are added later come after these."""
    node.fail(answer_accounts, ACCOUNT)
    node.fail(answer_tokens, CONSTANT)
    return node


async def final_of(client: TronClient) -> BlockRef:
    final = await client.finalized()
    assert final is not None
    return final


async def held(client: TronClient, *assets: Asset) -> list[int | None]:
    """What SHOP holds of these."""
    return [each.units for each in await client.balances([SHOP], assets, await final_of(client))]


async def test_what_accounts_hold_of_every_kind(holding: JavaTron) -> None:
    async with open_client(holding) as client:
        found = await client.balances([STRANGER, SHOP], ASSETS, await final_of(client))
    at = holding.solid, holding.solid
    assert found == [
        Holding(STRANGER, TRX.method, 0, *at),
        Holding(STRANGER, TEN.method, 0, *at),
        Holding(STRANGER, USDT.method, 0, *at),
        Holding(SHOP, TRX.method, 5, *at),
        Holding(SHOP, TEN.method, 8, *at),
        Holding(SHOP, USDT.method, 2**200, *at),
    ]


async def test_an_account_is_asked_for_once_whatever_it_may_hold(holding: JavaTron) -> None:
    async with open_client(holding) as client:
        await client.balances([STRANGER, SHOP], ASSETS, await final_of(client))
        assert (holding.calls[ACCOUNT], holding.calls[CONSTANT]) == (2, 2)
        await client.balances([SHOP], [USDT], await final_of(client))
        assert (holding.calls[ACCOUNT], holding.calls[CONSTANT]) == (2, 3)


async def test_final_blocks_that_went_by_meanwhile_are_said(node: JavaTron) -> None:
    def grow(node: JavaTron) -> None:
        node.solid += 2

    before = node.solid
    node.fail(then(grow), ACCOUNT, times=1)
    async with open_client(node) as client:
        [found] = await client.balances([SHOP], [TRX], await final_of(client))
    assert (found.units, found.first, found.last) == (0, before, before + 2)


async def test_many_accounts_are_read_a_few_at_a_time(holding: JavaTron) -> None:
    addresses = [STRANGER] * AT_ONCE + [SHOP]
    async with open_client(holding) as client:
        final = await final_of(client)
        asked = holding.calls[SOLID]
        found = await client.balances(addresses, [TRX], final)
    assert [each.units for each in found] == [0] * AT_ONCE + [5]
    assert holding.calls[SOLID] - asked == 4  # before and after each


async def test_past_balances_are_refused_without_asking(holding: JavaTron) -> None:
    async with open_client(holding) as client:
        with pytest.raises(EndpointRefused, match="newest final balances only"):
            await client.balances([SHOP], [TRX], await final_of(client), holding.solid)
    assert holding.calls[ACCOUNT] == 0


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(
            {"result": {"code": "CONTRACT_VALIDATE_ERROR", "message": "6e6f6e65"}}, id="no contract"
        ),
        pytest.param(constant("", message="52455645525420"), id="it reverts"),
        pytest.param(constant(f"{7:064x}", message="52455645525420"), id="it reverts with a word"),
        pytest.param({"result": {"code": "CONTRACT_EXE_ERROR"}}, id="it fails"),
        pytest.param(constant(), id="nothing"),
        pytest.param(constant(""), id="an empty word"),
        pytest.param(constant(f"{7:0128x}"), id="two words"),
        pytest.param(constant("7"), id="a digit"),
    ],
)
async def test_a_token_that_gives_no_balance_is_not_empty(
    node: JavaTron, answer: dict[str, Any]
) -> None:
    node.fail(says(answer), CONSTANT)
    node.fail(answer_accounts, ACCOUNT)
    async with open_client(node) as client:
        assert await held(client, TRX, USDT) == [5, None]
        assert states(client) == ["healthy"]


async def test_a_busy_node_says_nothing_of_a_token(node: JavaTron) -> None:
    node.fail(says({"result": {"code": "SERVER_BUSY"}}), CONSTANT)
    async with open_client(node) as client:
        with pytest.raises(ChainUnavailable, match="SERVER_BUSY"):
            await held(client, USDT)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        pytest.param(ACCOUNT, {"balance": 5}, id="nobody's account"),
        pytest.param(ACCOUNT, {"address": wire(STRANGER), "balance": 5}, id="another's account"),
        pytest.param(ACCOUNT, {"address": wire(SHOP), "balance": "5"}, id="no number"),
        pytest.param(ACCOUNT, {"address": wire(SHOP), "balance": -5}, id="less than nothing"),
        pytest.param(CONSTANT, {"constant_result": [f"{7:064x}"]}, id="no outcome"),
    ],
)
async def test_an_answer_of_another_shape_is_a_lie(
    node: JavaTron, method: str, answer: dict[str, Any]
) -> None:
    node.fail(says(answer), method)
    async with open_client(node) as client:
        with pytest.raises(ChainDataError):
            await held(client, TRX, USDT)
        assert states(client) == ["quarantined"]


async def test_an_embedded_node_holds_what_its_final_blocks_paid() -> None:
    async with sandbox.open_tron() as node, sandbox.open_client(node) as client:
        node.chain.send(Order(inner(SHOP), 5))
        node.chain.send(Order(inner(SHOP), 8, coin=str(sandbox.COIN.contract)))
        node.chain.send(plain(sandbox.contract(sandbox.USDT), inner(SHOP), 7))
        node.mine()
        node.mine(50)
        node.chain.send(Order(inner(SHOP), 100))
        node.mine()
        assert await held(client, sandbox.TRX, sandbox.COIN, sandbox.USDT) == [5, 8, 7]


async def test_each_balance_is_repeated_by_those_who_say_the_same(holding: JavaTron) -> None:
    async with open_client(holding) as client:
        found = await client.balances([STRANGER, SHOP], ASSETS, await final_of(client))
        false = replace(found[-1], units=9)
        [*true, nobody] = await client.repeat_balances([*found, false], await final_of(client))
        names = {each.name for each in client.endpoints()}
    assert true == [names] * len(found)
    assert nobody == set()


async def test_who_is_on_a_fork_is_not_asked_what_accounts_hold(holding: JavaTron) -> None:
    async with open_client(holding) as client:
        final = replace(await final_of(client), hash=make_hash("another"))
        with pytest.raises(ChainUnavailable, match="is not the one that is final"):
            await client.balances([SHOP], [TRX], final)
    assert holding.calls[ACCOUNT] == 0
