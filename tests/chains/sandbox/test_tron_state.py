"""What accounts of a Tron node hold, at the head and where it is solid, and what changes it."""

from __future__ import annotations

from typing import Any

import pytest

from chains.sandbox.tron.accounts import inner, wire
from chains.sandbox.tron.node import TronNode
from chains.sandbox.tron.orders import Order
from chains.sandbox.tron.payments import plain
from tests.chains.sandbox.tron import COIN, OTHER, SHOP, USDT, ask, contract, open_tron, read

SHOP_INSIDE = inner(SHOP)
NOBODY = "41" + 40 * "0"


async def account(node: TronNode, who: str, side: str = "wallet") -> dict[str, Any]:
    answer: dict[str, Any] = await ask(node, f"{side}/getaccount", address=wire(inner(who)))
    return answer


async def tokens(node: TronNode, who: str, side: str = "wallet") -> int:
    answer = await ask(
        node,
        f"{side}/triggerconstantcontract",
        owner_address=NOBODY,
        contract_address=wire(contract(USDT)),
        function_selector="balanceOf(address)",
        parameter=f"{int(inner(who), 16):064x}",
    )
    return int(answer["constant_result"][0], 16)


async def test_each_side_has_its_own_balances() -> None:
    async with open_tron(finality_blocks=2) as node:
        node.chain.send(plain(None, SHOP_INSIDE, 5))
        node.chain.send(plain(contract(USDT), SHOP_INSIDE, 7))
        node.chain.send(Order(SHOP_INSIDE, 9, coin=str(COIN.contract)))
        node.mine(2)
        assert await account(node, SHOP, "walletsolidity") == {}
        assert (await tokens(node, SHOP), await tokens(node, SHOP, "walletsolidity")) == (7, 0)
        node.mine()
        solid = await account(node, SHOP, "walletsolidity")
        assert solid == await account(node, SHOP)
        assert (solid["balance"], solid["assetV2"]) == (5, [{"key": COIN.contract, "value": 9}])
        assert await tokens(node, SHOP, "walletsolidity") == 7


@pytest.mark.parametrize("token", [None, USDT.contract, COIN.contract])
async def test_an_address_spends_what_came_to_it_without_a_fee(token: str | None) -> None:
    async with open_tron() as node:
        paid = {"units": "9", "contract": token}
        await ask(node, "sandbox_pay", to=SHOP, **paid)
        node.mine()
        tx_id = await ask(node, "sandbox_pay", to=OTHER, sender=SHOP, **{**paid, "units": "4"})
        (info,) = node.mine().infos
        assert info["id"] == tx_id
        assert "fee" not in info
        assert info["receipt"]["net_usage"] > 0
        (transfer,) = (await read(node, 2)).transfers
        assert (transfer.sender, transfer.to, transfer.units) == (SHOP, OTHER, 4)
        state = node.chain.state
        keys = [key for key in ("coin", COIN.contract, contract(USDT))]
        left = {state[f"{key}/{SHOP_INSIDE}"] for key in keys}
        assert left == {5, 0}


@pytest.mark.parametrize("token", [None, USDT.contract, COIN.contract])
async def test_who_has_too_little_spends_nothing(token: str | None) -> None:
    async with open_tron() as node:
        order = {"to": OTHER, "units": "5", "contract": token, "sender": SHOP}
        assert "Error" in await ask(node, "sandbox_pay", **order)
        assert "Error" in await ask(node, "sandbox_pay", **order, payer=3)
        assert node.mine().infos == []


async def test_what_was_to_be_spent_is_dropped_once_it_has_gone_with_a_fork() -> None:
    async with open_tron() as node:
        await ask(node, "sandbox_pay", to=SHOP, units="5")
        node.mine()
        await ask(node, "sandbox_pay", to=OTHER, units="5", sender=SHOP)
        node.chain.fork(1)
        assert node.mine().infos == []
        assert (await account(node, SHOP), await account(node, OTHER)) == ({}, {})


async def test_a_balance_may_change_without_a_transaction() -> None:
    async with open_tron() as node:
        await ask(node, "sandbox_pay", to=SHOP, units="7", contract=USDT.contract)
        node.mine()
        await ask(node, "sandbox_hold", address=SHOP, units="3", contract=USDT.contract)
        await ask(node, "sandbox_hold", address=SHOP, units="2", contract=COIN.contract)
        await ask(node, "sandbox_hold", address=SHOP, units="1")
        assert await tokens(node, SHOP) == 7
        assert node.mine().infos == []
        held = await account(node, SHOP)
        assert (held["balance"], held["assetV2"][0]["value"], await tokens(node, SHOP)) == (1, 2, 3)
        node.chain.fork(1)
        assert await tokens(node, SHOP) == 7


async def test_nobody_holds_what_is_not_there() -> None:
    async with open_tron() as node:
        for token in (OTHER, "1000009"):
            answer = await ask(node, "sandbox_hold", address=SHOP, units="3", contract=token)
            assert "on this chain" in answer["Error"]
