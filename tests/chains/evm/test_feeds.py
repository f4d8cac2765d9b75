"""Price feeds, read from embedded nodes: what they say, and what is not believed of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from fractions import Fraction

import pytest
from eth_abi.abi import encode

from chains.base import ChainUnavailable, ClientOptions, EndpointSettings, NetworkSpec
from chains.ethereum import ETHEREUM
from chains.evm.client import EvmClient
from chains.evm.feeds import ROUND, agreed, decode_round
from chains.evm.worker import read_here
from chains.polygon import POLYGON
from chains.sandbox.evm.flavour import ethereum
from chains.sandbox.evm.node import EvmNode
from tests import proxy as faults
from tests.chains.sandbox.evm import START, open_evm, rpc
from tests.proxy import Proxy
from watcher.domain.money import Address
from watcher.domain.rates import Feed, Round

ETH_FEED = Feed(("ETH", "USD"), Address("0x" + "f1" * 20), 3600)
TRX_FEED = Feed(("TRX", "USD"), Address("0x" + "f2" * 20), 86_400)
FEEDS = (ETH_FEED, TRX_FEED)
PLACES = encode(["uint8"], [8])


@asynccontextmanager
async def open_feeding() -> AsyncIterator[EvmNode]:
    """A node of Ethereum with both feeds, of which the first was fed."""
    flavour = ethereum(ETHEREUM.chain_id, ETHEREUM.assets, [feed.address for feed in FEEDS])
    async with open_evm(flavour) as node:
        await feed_eth(node, 3000)
        yield node


async def feed_eth(node: EvmNode, dollars: int) -> None:
    order = {"address": ETH_FEED.address, "price": str(dollars * 10**8), "updated_at": START}
    await rpc(node, "sandbox_feed", order)
    node.mine(5)


@asynccontextmanager
async def open_client(*urls: str, agreement: int = 1) -> AsyncIterator[EvmClient]:
    endpoints = [EndpointSettings(name, url) for name, url in zip("abc", urls, strict=False)]
    assets = ETHEREUM.assets[:1]
    options = ClientOptions(endpoints, assets, ETHEREUM.chain_id, None, agreement=agreement)
    client = EvmClient(replace(ETHEREUM, feeds=FEEDS), options, read=read_here)
    try:
        yield client
    finally:
        await client.close()


async def test_a_feed_is_read_with_its_decimals_and_time_and_one_never_fed_is_left_out() -> None:
    async with open_feeding() as node, open_client(node.url) as client:
        assert await client.rounds() == [Round(ETH_FEED, Fraction(3000), START, vouched=True)]


async def test_all_feeds_cost_one_call() -> None:
    async with open_feeding() as node, Proxy(node.url) as proxy, open_client(proxy.url) as client:
        await client.rounds()
        before = proxy.calls["eth_call"]
        await client.rounds()
        assert proxy.calls["eth_call"] == before + 1


async def test_without_multicall_they_are_asked_one_by_one() -> None:
    async with open_feeding() as node, Proxy(node.url) as proxy, open_client(proxy.url) as client:
        await client.head()
        proxy.fail(faults.result("0x"), "eth_call", times=1)
        assert [each.price for each in await client.rounds()] == [3000]


async def test_a_network_without_feeds_is_not_asked() -> None:
    options = ClientOptions([EndpointSettings("a", "http://127.0.0.1:1")], [], 1, None)
    client = EvmClient(replace(ETHEREUM, feeds=()), options, read=read_here)
    assert await client.rounds() == []
    await client.close()


async def test_two_endpoints_that_tell_the_same_vouch_for_it() -> None:
    async with (
        open_feeding() as one,
        open_feeding() as other,
        open_client(one.url, other.url, agreement=2) as client,
    ):
        assert [(each.price, each.vouched) for each in await client.rounds()] == [(3000, True)]


async def test_one_endpoint_that_lies_leaves_nobody_who_vouches() -> None:
    async with (
        open_feeding() as one,
        open_feeding() as liar,
        open_client(one.url, liar.url, agreement=2) as client,
    ):
        await feed_eth(one, 3000)
        await feed_eth(liar, 9000)
        assert [each.vouched for each in await client.rounds()] == [False]


async def test_two_honest_endpoints_outvote_a_liar() -> None:
    async with (
        open_feeding() as one,
        open_feeding() as liar,
        open_feeding() as third,
        open_client(one.url, liar.url, third.url, agreement=2) as client,
    ):
        for node, dollars in [(one, 3000), (liar, 9000), (third, 3000)]:
            await feed_eth(node, dollars)
        assert [(each.price, each.vouched) for each in await client.rounds()] == [(3000, True)]


async def test_an_endpoint_that_answers_no_calls_still_serves_blocks() -> None:
    async with open_feeding() as node, Proxy(node.url) as proxy, open_client(proxy.url) as client:
        await client.head()
        proxy.fail(faults.error({"code": -32601, "message": "method not found"}), "eth_call")
        with pytest.raises(ChainUnavailable):
            await client.rounds()
        assert [each.state for each in client.endpoints()] == ["healthy"]
        assert await client.block(1) is not None


async def test_garbage_is_a_lie() -> None:
    async with open_feeding() as node, Proxy(node.url) as proxy, open_client(proxy.url) as client:
        await client.head()
        proxy.fail(faults.result("0x1234"), "eth_call")
        with pytest.raises(ChainUnavailable):
            await client.rounds()
        assert [each.state for each in client.endpoints()] == ["quarantined"]


def told(
    answer: int = 3000 * 10**8, updated_at: int = START, number: int = 7, answered_in: int = 7
) -> bytes:
    return encode(ROUND, [number, answer, START, updated_at, answered_in])


def test_a_whole_round_is_a_price() -> None:
    assert decode_round(ETH_FEED, told(), PLACES) == Round(ETH_FEED, Fraction(3000), START)


@pytest.mark.parametrize(
    ("latest", "decimals"),
    [
        pytest.param(told(answer=0), PLACES, id="zero"),
        pytest.param(told(answer=-1), PLACES, id="negative"),
        pytest.param(told(updated_at=0), PLACES, id="never updated"),
        pytest.param(told(answered_in=6), PLACES, id="carried over from an older round"),
        pytest.param(told()[:-1], PLACES, id="cut"),
        pytest.param(b"", PLACES, id="nothing"),
        pytest.param(None, PLACES, id="reverted"),
        pytest.param(told(), None, id="no decimals"),
        pytest.param(told(), encode(["uint256"], [256]), id="decimals beyond a byte"),
        pytest.param(told(), encode(["uint8"], [77]), id="decimals beyond sense"),
    ],
)
def test_what_is_no_price(latest: bytes | None, decimals: bytes | None) -> None:
    assert decode_round(ETH_FEED, latest, decimals) is None


@pytest.mark.parametrize(
    ("prices", "agreement", "vouched"),
    [
        ([1], 1, True),
        ([1], 2, False),
        ([1, 1], 2, True),
        ([1, 2], 1, False),
        ([1, 2], 2, False),
        ([1, 1, 2, 2], 2, False),
        ([1, 1, 2], 2, True),
        ([1, 1, 2], 3, False),
    ],
)
def test_how_many_must_agree(prices: Sequence[int], agreement: int, vouched: bool) -> None:
    answers = [[Round(ETH_FEED, Fraction(price), START)] for price in prices]
    assert [each.vouched for each in agreed(answers, agreement)] == [vouched]


@pytest.mark.parametrize("spec", [ETHEREUM, POLYGON], ids=lambda spec: spec.name)
def test_the_feeds_of_a_network_are_contracts_of_their_own(spec: NetworkSpec) -> None:
    feeds = spec.feeds
    assert len({feed.address for feed in feeds}) == len({feed.pair for feed in feeds}) == len(feeds)
    assert {feed.pair[1] for feed in feeds} == {"USD"}
