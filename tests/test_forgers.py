"""Stories of an endpoint that invents: a chain of its own, or a log that no block commits to.

The forger plays a true network's rules to the letter: hashes, roots and signatures are right. What
tells is another endpoint's word alone, as README says.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

import storage
from chains import ahead
from chains.ahead import AHEAD_SECONDS
from chains.base import ChainClient, ChainUnavailable, NetworkSpec
from chains.sandbox.control import Faults, serve
from chains.sandbox.evm.contracts import CRIER
from chains.sandbox.tron.node import TRON_KIND, TronNode
from chains.tron import TRON
from storage import Engine
from tests.chains.sandbox import evm, tron
from tests.chains.sandbox.evm import START, EvmRow, PolygonRow
from tests.chains.sandbox.tron import TronRow
from tests.factories import make_invoice, make_quote
from tests.world import catch_up, make_policy, open_shop, the_invoice, told
from watcher import clock, finality
from watcher.domain.blocks import Hash
from watcher.domain.invoices import InvoiceStatus
from watcher.explain import explain
from watcher.follower import Follower
from watcher.policy import Policy
from watcher.status import admin_status

ROWS = [EvmRow, PolygonRow, TronRow]


@pytest.fixture(autouse=True)
def _ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)


def policy_of(spec: NetworkSpec, agreement: int, *, repeat: bool = False) -> Policy:
    """A shop on this network alone, which confirms at three blocks."""
    policy = make_policy((spec.name,), agreement=agreement, repeat_transfers=repeat)
    network = replace(
        policy.networks[spec.name],
        spec=spec,
        chain_id=spec.chain_id,
        assets={asset.method: asset for asset in spec.assets},
    )
    return replace(policy, networks={spec.name: network})


async def open_invoice(engine: Engine, spec: NetworkSpec, to: str, method: str) -> None:
    quote = make_quote(100, method, contract=None)
    addresses = {spec.family: to}
    await open_shop(
        engine,
        make_invoice(quotes=[quote], addresses=addresses, created_at=START, expires_at=START + 900),
    )


@pytest.fixture(params=ROWS, ids=["ethereum", "polygon", "tron"])
async def nodes(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Any, Any]]:
    """A forger with a payment in blocks that it made up, and a true node; of one genesis."""
    async with AsyncExitStack() as stack:
        forger, true = [await stack.enter_async_context(request.param.open()) for _ in range(2)]
        for each in (forger, true):
            each.mine(3)
        forger.reorg(1, 1)
        forger.pay(100)
        forger.mine(4)
        yield forger, true


def client_of(*rows: EvmRow | TronRow, ahead_seconds: int | None = None) -> ChainClient:
    """A client that asks these in this order."""
    first = rows[0]
    urls = [row.url for row in rows]
    if isinstance(first, TronRow):
        return tron.tron_client(first._node, urls=urls, ahead_seconds=ahead_seconds)
    rules = first.rules
    return evm.evm_client(*urls, spec=first.spec, rules=rules, ahead_seconds=ahead_seconds)


@asynccontextmanager
async def follower_of(
    engine: Engine, client: ChainClient, policy: Policy
) -> AsyncIterator[Follower]:
    [network] = policy.networks
    follower = Follower(policy, network, client, engine, "test:1")
    try:
        yield follower
    finally:
        await follower.stop()
        await client.close()


async def test_a_self_made_chain_is_believed_of_a_sole_endpoint(
    nodes: tuple[Any, Any], engine: Engine
) -> None:
    forger, _ = nodes
    await open_invoice(engine, forger.spec, forger.shop, forger.coin.method)
    async with follower_of(engine, client_of(forger), policy_of(forger.spec, 1)) as follower:
        await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID


async def test_a_self_made_chain_confirms_nothing_where_two_endpoints_must_agree(
    nodes: tuple[Any, Any], engine: Engine
) -> None:
    forger, true = nodes
    await open_invoice(engine, forger.spec, forger.shop, forger.coin.method)
    policy = policy_of(forger.spec, 2)
    async with follower_of(engine, client_of(forger, true), policy) as follower:
        await catch_up(follower)
        assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING
        assert any("1 of 2 endpoints repeat it" in each for each in follower.health.short)
        forger.faults.status = 503
        true.mine(5)
        await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.AWAITING_PAYMENT
    seen = ["deposit.detected", "invoice.confirming"]
    assert await told(engine) == [*seen, "deposit.orphaned", "invoice.awaiting_payment"]


@pytest.fixture(params=ROWS, ids=["ethereum", "polygon", "tron"])
async def twins(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Any, Any]]:
    """Two nodes of one chain, with a payment deep in it; the first may leave it."""
    async with AsyncExitStack() as stack:
        both = [await stack.enter_async_context(request.param.open()) for _ in range(2)]
        for each in both:
            each.mine(30)
            each.pay(100)
            each.mine(4)
        leaving, true = both
        yield leaving, true


@pytest.mark.parametrize("depth", [5, 34], ids=["shallow", "below all that is kept"])
async def test_one_endpoint_of_two_that_leaves_the_chain_takes_nothing_back_and_halts_nothing(
    twins: tuple[Any, Any], engine: Engine, depth: int
) -> None:
    leaving, true = twins
    await open_invoice(engine, true.spec, true.shop, true.coin.method)
    policy = policy_of(true.spec, 2)
    async with follower_of(engine, client_of(leaving, true), policy) as follower:
        await catch_up(follower)
        seen = ["deposit.detected", "invoice.confirming", "deposit.confirmed", "invoice.paid"]
        assert await told(engine) == seen
        leaving.reorg(depth, depth + 2)
        for _ in range(3):
            with pytest.raises(ChainUnavailable, match="endpoints differ: b still have block 35"):
                await follower.turn()
        leaving.faults.status = 503
        true.mine(2)
        await catch_up(follower)
        assert follower.health.tip is not None
        assert follower.health.tip.number == 37
    assert await told(engine) == seen


async def test_a_reorg_is_followed_once_both_endpoints_have_it(
    twins: tuple[Any, Any], engine: Engine
) -> None:
    leaving, true = twins
    await open_invoice(engine, true.spec, true.shop, true.coin.method)
    policy = policy_of(true.spec, 2)
    async with follower_of(engine, client_of(leaving, true), policy) as follower:
        await catch_up(follower)
        leaving.reorg(5, 7)
        with pytest.raises(ChainUnavailable, match="endpoints differ"):
            await follower.turn()
        true.reorg(5, 7)
        await catch_up(follower)
    assert (await told(engine))[-2:] == ["deposit.orphaned", "invoice.reverted"]


HOURS = 7200  # that an invoice, open for a quarter of an hour, has been over by far


@pytest.fixture(params=ROWS, ids=["ethereum", "polygon", "tron"])
async def clocks(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Any, Any]]:
    """Two nodes of one chain, its newest block of this very second by this machine's clock."""
    async with AsyncExitStack() as stack:
        both = [await stack.enter_async_context(request.param.open()) for _ in range(2)]
        for each in both:
            each.mine(3)
        head = await both[0].client().block(3)
        monkeypatch.setattr(ahead, "wall", lambda: head.ref.timestamp)
        yield both[0], both[1]


async def test_a_block_dated_hours_ahead_is_asked_elsewhere_and_expires_nothing(
    clocks: tuple[Any, Any], engine: Engine
) -> None:
    forger, true = clocks
    await open_invoice(engine, true.spec, true.shop, true.coin.method)
    forger.advance(HOURS)
    forger.mine()
    true.mine(2)
    client = client_of(forger, true, ahead_seconds=AHEAD_SECONDS)
    async with follower_of(engine, client, policy_of(true.spec, 2)) as follower:
        await catch_up(follower)
        assert follower.health.tip is not None
        assert follower.health.tip.number == 5
        lies, good = client.endpoints()
    assert (lies.state, good.state) == ("waiting", "healthy")
    assert "ahead of this machine's clock" in (lies.reason or "")
    assert (await the_invoice(engine)).status is InvoiceStatus.AWAITING_PAYMENT
    assert await told(engine) == []


async def test_where_all_blocks_are_ahead_of_our_clock_the_network_waits_and_alarms(
    clocks: tuple[Any, Any], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_invoice(engine, clocks[0].spec, clocks[0].shop, clocks[0].coin.method)
    for each in clocks:
        each.advance(HOURS)  # what a machine sees whose clock is behind
        each.mine()
    policy = policy_of(clocks[0].spec, 2)
    [network] = policy.networks
    client = client_of(*clocks, ahead_seconds=AHEAD_SECONDS)
    async with follower_of(engine, client, policy) as follower:
        with pytest.raises(ChainUnavailable, match="or the clock is behind") as fault:
            await catch_up(follower)
        follower.health.failed(network, fault.value)
        later = clock.now() + HOURS
        async with storage.write(engine) as conn:
            await storage.health.publish(conn, network, follower.health.report("test:1"), later)
            status = await admin_status(conn, policy, None, later)
    [reason] = (each["reason"] for each in status["alarms"] if each["alarm"] == "network_stalled")
    assert reason == status["networks"][0]["last_error"]
    assert "b: block 4 is dated 7200 s ahead of this machine's clock" in reason
    assert await told(engine) == []

    monkeypatch.setattr(ahead, "wall", lambda: evm.START + 2 * HOURS)  # the clock is put right
    client = client_of(*clocks, ahead_seconds=AHEAD_SECONDS)
    async with follower_of(engine, client, policy) as follower:
        await catch_up(follower)
    assert await told(engine) == ["invoice.expired"]


async def test_a_block_may_be_a_little_ahead_of_our_clock(
    clocks: tuple[Any, Any], engine: Engine
) -> None:
    node, _ = clocks
    await open_invoice(engine, node.spec, node.shop, node.coin.method)
    node.advance(AHEAD_SECONDS - 60)
    node.mine()
    client = client_of(node, ahead_seconds=AHEAD_SECONDS)
    async with follower_of(engine, client, policy_of(node.spec, 1)) as follower:
        await catch_up(follower)
        assert follower.health.tip is not None
        assert follower.health.tip.number == 4


USDT = tron.contract(tron.USDT)


@asynccontextmanager
async def forge_log(node: TronNode) -> AsyncIterator[str]:
    """The URL of a node that tells of a worthless contract's log as if it were USDT's."""
    door = TRON_KIND.door(node)

    async def answer(request: web.Request) -> web.StreamResponse:
        said = await door(request)
        assert isinstance(said, web.Response)
        if "infobyblocknum" not in request.path:
            return said
        forged = (said.text or "").replace(CRIER[2:], USDT[2:])
        return web.Response(text=forged, content_type="application/json")

    async with serve(answer, Faults()) as url:
        yield url


@asynccontextmanager
async def withhold_logs(node: TronNode) -> AsyncIterator[str]:
    """The URL of a node that tells of no log."""
    door = TRON_KIND.door(node)

    async def answer(request: web.Request) -> web.StreamResponse:
        said = await door(request)
        assert isinstance(said, web.Response)
        if "infobyblocknum" not in request.path:
            return said
        infos = json.loads(said.text or "")
        for info in infos:
            info.pop("log", None)
        return web.json_response(infos)

    async with serve(answer, Faults()) as url:
        yield url


@pytest.fixture
async def node() -> AsyncIterator[TronNode]:
    """A node in whose second block somebody logs a payment to the shop, and none is made."""
    async with tron.open_tron() as opened:
        opened.mine()
        order = {"to": tron.SHOP, "units": "100", "contract": tron.USDT.contract, "way": "forged"}
        opened.take("sandbox_pay", order)
        opened.mine(4)
        yield opened


async def test_a_forged_log_is_believed_of_a_sole_endpoint(node: TronNode, engine: Engine) -> None:
    await open_invoice(engine, TRON, tron.SHOP, tron.USDT.method)
    async with forge_log(node) as url:
        client = tron.tron_client(node, urls=[url], assets=TRON.assets)
        async with follower_of(engine, client, policy_of(TRON, 1)) as follower:
            await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID


async def test_a_forged_log_is_never_confirmed_where_a_second_source_is_required(
    node: TronNode, engine: Engine
) -> None:
    await open_invoice(engine, TRON, tron.SHOP, tron.USDT.method)
    async with forge_log(node) as url:
        client = tron.tron_client(node, urls=[url, node.url], assets=TRON.assets)
        policy = policy_of(TRON, 2, repeat=True)
        async with follower_of(engine, client, policy) as follower:
            await catch_up(follower)
            node.mine(30)  # final, too
            await catch_up(follower)
            assert any("1 of 2 endpoints repeat it" in each for each in follower.health.short)
            assert any("endpoints differ about block 2" in each for each in client.warnings())
    assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING
    assert "deposit.confirmed" not in await told(engine)


async def explained(
    engine: Engine, policy: Policy, node: TronNode, urls: list[str], tx: str
) -> tuple[list[tuple[str, str, str]], str | None]:
    """(position, verdict, sentence) of each move, and what may be unseen; `urls` are followed."""
    client = tron.tron_client(node, urls=urls, assets=TRON.assets)
    async with follower_of(engine, client, policy) as follower:
        await catch_up(follower)
        body = await explain(engine, policy, client, TRON.name, Hash(tx.removeprefix("0x")))
    return [(m["position"], m["verdict"], m["detail"]) for m in body["moves"]], body["unseen"]


async def test_a_log_that_the_first_endpoint_withholds_is_explained_by_the_second(
    engine: Engine,
) -> None:
    await open_invoice(engine, TRON, tron.SHOP, tron.USDT.method)
    async with tron.open_tron() as node:
        node.mine()
        order = {"to": tron.SHOP, "units": "100", "contract": tron.USDT.contract, "way": "plain"}
        tx = node.take("sandbox_pay", order)
        node.mine(4)
        async with withhold_logs(node) as url:
            policy = policy_of(TRON, 2, repeat=True)
            moves, unseen = await explained(engine, policy, node, [url, node.url], tx)
    [value, (position, verdict, detail)] = moves
    assert value == ("value", "refused", "amount is zero")
    assert (position, verdict) == ("log/0", "missing")
    assert "`deposit-watcher rescan tron --from 2 --to 2`" in detail
    assert detail.endswith("; shown by b, not by a")
    assert unseen is not None
    assert "one endpoint's word" not in unseen


async def test_a_log_that_one_endpoint_forges_is_explained_as_each_of_them_tells_it(
    node: TronNode, engine: Engine
) -> None:
    await open_invoice(engine, TRON, tron.SHOP, tron.USDT.method)
    [tx] = [tx for mined in node.chain.blocks if mined.number == 2 for tx in mined.tx_hashes]
    async with forge_log(node) as url:
        policy = policy_of(TRON, 2, repeat=True)
        moves, _ = await explained(engine, policy, node, [url, node.url], tx)
    [_, *logs] = moves
    assert [(position, verdict) for position, verdict, _ in logs] == [
        ("log/0", "deposit"),
        ("log/0", "refused"),
    ]
    assert logs[0][2].endswith("; shown by a, not by b")
    assert logs[1][2] == "asset is not listed; shown by b, not by a"


async def test_what_a_sole_endpoint_of_tron_tells_of_logs_is_told_as_its_word(
    node: TronNode, engine: Engine
) -> None:
    await open_invoice(engine, TRON, tron.SHOP, tron.USDT.method)
    [tx] = [tx for mined in node.chain.blocks if mined.number == 2 for tx in mined.tx_hashes]
    moves, unseen = await explained(engine, policy_of(TRON, 1), node, [node.url], tx)
    assert [detail for _, _, detail in moves] == ["amount is zero", "asset is not listed"]
    assert unseen is not None
    assert unseen.startswith(
        "tokens and internal transfers are one endpoint's word, which no block commits to; "
    )
