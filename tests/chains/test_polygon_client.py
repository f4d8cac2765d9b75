"""The EVM client by Polygon's rules, against the embedded node of that kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from chains import NETWORKS
from chains.base import ChainDataError, ClientOptions, EndpointSettings
from chains.evm.client import EvmClient
from chains.evm.worker import read_here
from chains.polygon import COIN, RULES
from chains.sandbox.evm.node import EvmNode
from chains.sandbox.evm.payments import failed, internal, plain, reverted
from chains.sandbox.evm.polygon import NOBODY, polygon
from tests import proxy as faults
from tests.api.shop import ADMIN, make_policy
from tests.chains.sandbox.evm import SHOP, open_evm, rpc
from tests.proxy import Proxy
from watcher.config import ConfigError, Settings
from watcher.daemon import build_policy
from watcher.domain.blocks import Transfer
from watcher.domain.money import Asset, Network

POLYGON = NETWORKS[Network("polygon")]
POL, USDC, USDC_E = POLYGON.assets[:3]
NODE = {"endpoints": [{"name": "own", "url": "http://127.0.0.1:1"}]}


@pytest.fixture
async def node() -> AsyncIterator[EvmNode]:
    async with open_evm(polygon(137, (POL, USDC))) as opened:
        yield opened


@asynccontextmanager
async def open_client(
    *urls: str,
    assets: Sequence[Asset] = (POL, USDC),
    agreement: int = 1,
) -> AsyncIterator[EvmClient]:
    """A client of endpoints named a, b, … that reads within this process."""
    endpoints = [EndpointSettings(name, url) for name, url in zip("abc", urls, strict=False)]
    options = ClientOptions(endpoints, assets, 137, None, agreement)
    client = EvmClient(POLYGON, options, RULES, read=read_here)
    try:
        yield client
    finally:
        await client.close()


async def paid(node: EvmNode) -> list[Transfer]:
    """What SHOP gets in the newest block."""
    async with open_client(node.url) as client:
        block = await client.block(node.chain.head.number)
    assert block is not None
    return [transfer for transfer in block.transfers if transfer.to == SHOP]


async def test_every_kind_of_payment_at_once(node: EvmNode) -> None:
    for make in (plain, internal, failed, reverted):
        for token in (None, USDC.contract):
            node.chain.send(make(token, SHOP, 5))
    node.chain.send(plain(COIN, SHOP, 6))
    node.chain.bridge(SHOP, 7)
    node.chain.bridge(SHOP, 8, USDC.contract)
    node.mine()
    found = await paid(node)
    assert [(each.method, each.units) for each in found] == [
        ("polygon:pol", 5),
        ("polygon:usdc", 5),
        ("polygon:pol", 5),
        ("polygon:usdc", 5),
        ("polygon:pol", 6),
        ("polygon:pol", 7),
        ("polygon:usdc", 8),
    ]
    assert [each.sender for each in found[-2:]] == [NOBODY, NOBODY]


async def test_what_comes_over_the_bridge_needs_one_endpoint_only(node: EvmNode) -> None:
    node.chain.bridge(SHOP, 7)
    node.mine()
    assert [each.units for each in await paid(node)] == [7]


async def test_a_lie_about_the_bridge_is_caught(node: EvmNode) -> None:
    node.chain.bridge(SHOP, 7)
    node.mine()
    node.faults.lie = "other amount"
    async with open_client(node.url) as client:
        with pytest.raises(ChainDataError):
            await client.block(1)


async def test_what_is_final_is_what_the_endpoint_calls_so(node: EvmNode) -> None:
    node.mine(50)
    node.faults.final_lag = 12
    async with open_client(node.url) as client:
        ref = await client.finalized()
        tag = await rpc(node, "eth_getBlockByNumber", "finalized", False)
    assert ref is not None
    assert (hex(ref.number), f"0x{ref.hash}") == (tag["number"], tag["hash"])


async def test_without_a_tag_nothing_is_final(node: EvmNode) -> None:
    node.mine(50)
    async with Proxy(node.url) as proxy, open_client(proxy.url) as client:
        unknown = faults.error({"code": -32000, "message": "finalized block not found"})
        proxy.fail(unknown, "eth_getBlockByNumber", block="finalized")
        assert await client.finalized() is None


async def test_what_only_one_endpoint_calls_final_moves_no_finality(node: EvmNode) -> None:
    node.mine(50)
    async with Proxy(node.url) as proxy:
        node.faults.final_lag = 25
        lower = await rpc(node, "eth_getBlockByNumber", "finalized", False)
        node.faults.final_lag = 0
        proxy.fail(faults.result(lower), "eth_getBlockByNumber", block="finalized")
        async with open_client(node.url, proxy.url, agreement=2) as client:
            ref = await client.finalized()
    assert ref is not None
    assert hex(ref.number) == lower["number"]


async def test_a_token_with_other_decimals_keeps_the_network_from_starting() -> None:
    flavour = polygon(137, (POL, replace(USDC, decimals=18)))
    async with open_evm(flavour) as node, open_client(node.url) as client:
        reason = "a: token USDC: 18 decimals, configured 6"
        with pytest.raises(ChainDataError, match=f"^{reason}$"):
            await client.genesis()
        (report,) = client.endpoints()
        assert (report.state, report.reason) == ("quarantined", reason.removeprefix("a: "))
        found = {each.check: each for each in await client.capabilities()}
        assert (found["chain"].ok, found["token USDC"].ok) == (True, False)
        assert found["token USDC"].detail == "18 decimals, configured 6"


async def test_decimals_are_asked_once_a_start(node: EvmNode) -> None:
    node.mine()
    async with Proxy(node.url) as one, Proxy(node.url) as two:
        async with open_client(one.url, two.url, assets=(POL, USDC, USDC_E)) as client:
            await client.block(1)
            one.fail(faults.status(503))
            await client.block(1)
        assert (one.calls["eth_call"], two.calls["eth_call"]) == (2, 0)


async def test_an_endpoint_that_serves_no_calls_is_used_all_the_same(node: EvmNode) -> None:
    async with Proxy(node.url) as proxy, open_client(proxy.url) as client:
        proxy.fail(faults.error({"code": -32601, "message": "no such method"}), "eth_call")
        assert (await client.head()).number == 0
        assert [report.state for report in client.endpoints()] == ["healthy"]


@pytest.mark.parametrize("words", ["execution reverted: quota exceeded", "invalid opcode: INVALID"])
async def test_a_token_that_does_not_say_its_decimals_is_a_warning(
    node: EvmNode, words: str
) -> None:
    async with Proxy(node.url) as proxy, open_client(proxy.url) as client:
        proxy.fail(faults.error({"code": -32000, "message": words}), "eth_call")
        assert (await client.head()).number == 0
        found = {each.check: each for each in await client.capabilities()}
    assert found["token USDC"].ok is None


async def test_a_token_without_a_contract_is_a_warning(node: EvmNode) -> None:
    async with open_client(node.url, assets=(POL, USDC, USDC_E)) as client:
        assert (await client.head()).number == 0
        found = {each.check: each for each in await client.capabilities()}
    assert found["token USDC"].ok
    assert found["token USDC.e"].ok is None
    assert found["token USDC.e"].detail.startswith("nothing says decimals at 0x2791")


async def test_traces_are_not_missed_where_logs_tell_of_every_payment(node: EvmNode) -> None:
    async with open_client(node.url) as client:
        assert "traces" not in {each.check for each in await client.capabilities()}


@pytest.mark.parametrize(
    ("name", "chain_id", "live"), [("polygon", 137, True), ("amoy", 80002, False)]
)
def test_the_networks(name: str, chain_id: int, live: bool) -> None:
    spec = NETWORKS[Network(name)]
    assert (spec.chain_id, spec.live, spec.confirmations) == (chain_id, live, 32)
    assert (spec.reorg_limit, spec.finality_depth, spec.assets[0].symbol) == (512, 128, "POL")


def test_amounts_are_in_the_right_decimals() -> None:
    assert {asset.symbol: asset.decimals for asset in POLYGON.assets} == {
        "POL": 18,
        "USDC": 6,
        "USDC.e": 6,
        "USDT": 6,
        "WETH": 18,
        "DAI": 18,
        "WBTC": 8,
    }


@pytest.mark.parametrize(("configured", "depth"), [({}, 128), ({"finality_depth": 500}, 500)])
def test_the_depth_can_be_configured(configured: dict[str, int], depth: int) -> None:
    networks = {"polygon": {**NODE, **configured}}
    secrets = {"key_file": "watcher.key"}
    settings = Settings.model_validate(
        {"admin": {"token": ADMIN}, "secrets": secrets, "networks": networks}
    )
    policy = build_policy(settings).networks[POLYGON.name]
    assert policy.finality_depth == depth


@pytest.mark.parametrize("name", ["ethereum", "tron"])
def test_a_depth_is_refused_where_no_rule_needs_it(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^networks\.{name}\.finality_depth: this network has"):
        make_policy(networks={name: {**NODE, "finality_depth": 500}}, invoices={})


@pytest.mark.parametrize("address", [COIN, "0x" + "f" * 39 + "e"])
def test_what_logs_the_coin_cannot_be_configured_as_a_token(address: str) -> None:
    token = {"symbol": "MINE", "address": address, "decimals": 18}
    with pytest.raises(ConfigError, match=r"^networks\.polygon\.tokens\.0\.address: logs the coin"):
        make_policy(networks={"polygon": {**NODE, "tokens": [token]}}, invoices={})
