"""What accounts held after a block, as a real EVM says: by Multicall3, and where it is missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from chains.base import (
    ChainDataError,
    ChainUnavailable,
    ClientOptions,
    EndpointRefused,
    EndpointSettings,
    Holding,
)
from chains.ethereum import ETHEREUM
from chains.evm.balances import AT_ONCE
from chains.evm.client import EvmClient
from chains.evm.multicall import MULTICALL
from chains.evm.worker import read_here
from chains.sandbox.evm.assembly import assemble
from chains.sandbox.evm.contracts import token
from chains.sandbox.evm.payments import plain
from tests import proxy as faults
from tests.anvil import Anvil
from tests.chains.sandbox.evm import open_evm
from tests.multicall import MULTICALL_CODE
from tests.proxy import Call, Fault, Proxy
from watcher.domain.blocks import BlockRef, Hash
from watcher.domain.money import Address, Asset

ETH, USDT, USDC = ETHEREUM.assets[:3]
SHOP, STRANGER = Address("0x" + "a1" * 20), Address("0x" + "b2" * 20)
STATE = ("eth_call", "eth_getBalance")
PRUNED = {"code": -32000, "message": "missing trie node 5f (path ) state 0x5f is not available"}


def contract(asset: Asset) -> Address:
    assert asset.contract is not None
    return asset.contract


def opened(*, multicall: bool) -> Anvil:
    """Block 1 pays SHOP 5 wei and 7 units of USDT, block 2 one more of each; 20 blocks in all."""
    anvil = Anvil("--timestamp", "1700000000")  # of two the same genesis, whenever they start
    anvil.set_code(contract(USDT), token("USDT", 6).code)
    if multicall:
        anvil.set_code(MULTICALL, MULTICALL_CODE)
    for wei, units in ((5, 7), (1, 1)):
        anvil.send(SHOP, wei)
        anvil.send_token(contract(USDT), SHOP, units)
        anvil.mine()
    anvil.mine(18)
    return anvil


@pytest.fixture
def batched() -> Iterator[Anvil]:
    with opened(multicall=True) as anvil:
        yield anvil


@pytest.fixture
def bare() -> Iterator[Anvil]:
    with opened(multicall=False) as anvil:
        yield anvil


@pytest.fixture(params=[True, False], ids=["by Multicall3", "one by one"])
def anvil(request: pytest.FixtureRequest) -> Iterator[Anvil]:
    with opened(multicall=request.param) as anvil:
        yield anvil


@asynccontextmanager
async def open_client(*urls: str) -> AsyncIterator[EvmClient]:
    endpoints = [EndpointSettings(name, url) for name, url in zip("abc", urls, strict=False)]
    options = ClientOptions(endpoints, ETHEREUM.assets, 1, None)
    client = EvmClient(ETHEREUM, options, read=read_here)
    try:
        yield client
    finally:
        await client.close()


async def final_of(client: EvmClient) -> BlockRef:
    final = await client.finalized()
    assert final is not None
    return final


def block_of(anvil: Anvil, number: int) -> BlockRef:
    header = anvil.block(hex(number))
    hash, parent = (Hash(header[name][2:]) for name in ("hash", "parentHash"))
    return BlockRef(number, hash, parent, int(header["timestamp"], 16))


async def held(client: EvmClient, number: int | None, *assets: Asset) -> list[int | None]:
    """What SHOP held of these."""
    final = await final_of(client)
    return [each.units for each in await client.balances([SHOP], assets, final, number)]


async def test_balances_are_those_after_the_block_that_was_asked_for(anvil: Anvil) -> None:
    async with open_client(anvil.url) as client:
        assert await client.balances([STRANGER, SHOP], [ETH, USDT], await final_of(client), 1) == [
            Holding(STRANGER, ETH.method, 0, 1, 1),
            Holding(STRANGER, USDT.method, 0, 1, 1),
            Holding(SHOP, ETH.method, 5, 1, 1),
            Holding(SHOP, USDT.method, 7, 1, 1),
        ]
        assert await held(client, 0, ETH, USDT) == [0, 0]
        assert await held(client, 2, ETH, USDT) == [6, 8]


async def test_without_a_number_it_is_the_final_block(anvil: Anvil) -> None:
    anvil.send(SHOP, 100)
    anvil.mine()
    final = int(anvil.block("finalized")["number"], 16)
    async with open_client(anvil.url) as client:
        found = await client.balances([SHOP], [ETH], await final_of(client))
    assert found == [Holding(SHOP, ETH.method, 6, final, final)]
    assert 2 <= final < anvil.number()


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("0x", id="no contract"),
        pytest.param(assemble("PUSH0 PUSH0 REVERT"), id="it fails"),
        pytest.param(assemble("40 PUSH0 RETURN"), id="two words"),
        pytest.param(assemble("1f PUSH0 RETURN"), id="31 bytes"),
        pytest.param(assemble("PUSH0 PUSH0 RETURN"), id="nothing"),
    ],
)
async def test_a_token_that_gives_no_balance_is_not_empty(anvil: Anvil, code: str) -> None:
    async with open_client(anvil.url) as client:
        await client.head()  # checks the tokens' decimals, so the contract comes after it
        anvil.set_code(contract(USDC), code)
        anvil.mine()
        assert await held(client, anvil.number(), ETH, USDC, USDT) == [6, None, 8]
        assert [report.state for report in client.endpoints()] == ["healthy"]


async def test_many_questions_are_few_calls(batched: Anvil) -> None:
    strangers = [Address(f"0x{number:040x}") for number in range(2**32, 2**32 + AT_ONCE)]
    async with Proxy(batched.url) as proxy, open_client(proxy.url) as client:
        final = await final_of(client)  # checks the tokens' decimals, too
        before = proxy.calls["eth_call"]
        found = await client.balances([*strangers, SHOP], [ETH], final, 2)
        assert proxy.calls["eth_call"] - before == 2
        assert proxy.calls["eth_getBalance"] == 0
    assert [each.units for each in found] == [0] * AT_ONCE + [6]


async def test_a_state_that_no_endpoint_keeps_is_refused_and_no_fault_of_it(anvil: Anvil) -> None:
    async with Proxy(anvil.url) as proxy, open_client(proxy.url) as client:
        await client.head()
        proxy.fail(faults.error(PRUNED), *STATE)
        with pytest.raises(EndpointRefused, match="no state of block 1"):
            await held(client, 1, ETH)
        assert [report.state for report in client.endpoints()] == ["healthy"]
        proxy.heal()
        assert await held(client, 1, ETH) == [5]


async def test_a_state_that_another_endpoint_keeps_is_asked_there(anvil: Anvil) -> None:
    async with Proxy(anvil.url) as proxy, open_client(proxy.url, anvil.url) as client:
        await client.head()
        proxy.fail(faults.error(PRUNED), *STATE)
        assert await held(client, 1, ETH, USDT) == [5, 7]


async def test_who_is_on_a_fork_is_not_asked_what_accounts_hold(anvil: Anvil) -> None:
    with opened(multicall=True) as fork:  # the same payments, and other blocks above them
        fork.reorg(18)
        async with open_client(fork.url, anvil.url) as client:
            await client.survey()
            final = block_of(anvil, 3)
            assert block_of(fork, 3).hash != final.hash
            [found] = await client.balances([SHOP], [ETH], final)
            assert found == Holding(SHOP, ETH.method, 6, 3, 3)
            assert await client.repeat_balances([found], final) == [{"b"}]
            reasons = [report.reason or "" for report in client.endpoints()]
    assert reasons == ["its block 3 is not the one that is final", ""]


async def test_who_has_not_come_so_far_is_no_worse_for_it(anvil: Anvil) -> None:
    async with Proxy(anvil.url) as behind, open_client(behind.url, anvil.url) as client:
        final = block_of(anvil, 3)
        behind.fail(faults.result(None), "eth_getBlockByNumber", block=hex(3))
        assert [each.units for each in await client.balances([SHOP], [ETH], final)] == [6]
        assert [report.state for report in client.endpoints()] == ["new", "healthy"]


def of_block(number: int) -> Fault:
    """What the call gives after another block than the one that was asked for."""

    async def fault(call: Call) -> web.StreamResponse:
        return call.reply(result=await call.ask(params=[call.params[0], hex(number)]))

    return fault


async def test_the_state_of_another_block_is_a_lie(batched: Anvil) -> None:
    async with Proxy(batched.url) as proxy, open_client(proxy.url) as client:
        await client.head()
        proxy.fail(of_block(1), "eth_call")
        with pytest.raises(ChainDataError, match="asked for block 2, got block 1"):
            await held(client, 2, ETH)


@pytest.mark.parametrize("answer", ["0x1234", "0x" + "ff" * 96, f"0x{32:064x}{0:064x}"])
async def test_what_is_no_answer_is_a_lie(batched: Anvil, answer: str) -> None:
    async with Proxy(batched.url) as proxy, open_client(proxy.url) as client:
        await client.head()
        proxy.fail(faults.result(answer), "eth_call")
        with pytest.raises(ChainDataError, match="Multicall3"):
            await held(client, 2, ETH)


async def test_a_call_too_large_for_the_node_is_taken_apart(batched: Anvil) -> None:
    async with Proxy(batched.url) as proxy, open_client(proxy.url) as client:
        await client.head()
        proxy.fail(faults.error({"code": -32000, "message": "out of gas"}), "eth_call", times=1)
        assert await held(client, 1, ETH, USDT) == [5, 7]


async def test_a_block_that_changes_while_it_is_read_gives_no_balances(bare: Anvil) -> None:
    async def reorganise(call: Call) -> web.StreamResponse:
        true = await call.ask()
        await asyncio.to_thread(bare.reorg, 1)
        return call.reply(result=true)

    number = bare.number()
    async with Proxy(bare.url) as proxy, open_client(proxy.url) as client:
        await client.head()
        proxy.fail(reorganise, "eth_getBalance", times=1)
        with pytest.raises(ChainUnavailable, match="changed while its state was read"):
            await held(client, number, ETH)


async def test_the_embedded_node_answers_by_multicall_too() -> None:
    async with open_evm() as node, Proxy(node.url) as proxy, open_client(proxy.url) as client:
        node.chain.send(plain(None, SHOP, 5))
        node.chain.send(plain(contract(USDT), SHOP, 7))
        node.mine()
        node.chain.send(plain(None, SHOP, 1))
        node.mine()
        assert await held(client, 1, ETH, USDT) == [5, 7]
        assert await held(client, 2, ETH, USDT) == [6, 7]
        assert proxy.calls["eth_getBalance"] == 0


async def test_each_balance_is_repeated_by_those_who_say_the_same(anvil: Anvil) -> None:
    pruned = faults.error(PRUNED)
    async with Proxy(anvil.url) as other, open_client(anvil.url, other.url) as client:
        final = await final_of(client)
        *older, _ = await client.balances([STRANGER, SHOP], [ETH, USDT], final, 1)
        [newer] = await client.balances([SHOP], [ETH], final, 2)
        false = replace(newer, units=9)
        said = await client.repeat_balances([*older, newer, false], final)
        assert said == [*([{"a", "b"}] * 4), set()]
        other.fail(pruned, *STATE)
        assert await client.repeat_balances([newer, false], final) == [{"a"}, set()]
        assert [each.state for each in client.endpoints()] == ["healthy", "healthy"]
