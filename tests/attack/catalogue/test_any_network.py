"""Faults and mistakes that no network is free of; the numbers are those of chains.md 6."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, get_args

import pytest

from chains.ethereum import ETHEREUM
from chains.polygon import POLYGON
from chains.sandbox.control import Lie
from chains.sandbox.evm.polygon import polygon
from storage import Engine
from tests.attack.catalogue.nodes import Embedded, on_ethereum, on_polygon, on_tron
from tests.attack.catalogue.stage import DUE, Stage, open_stage
from tests.chains.sandbox.evm import open_evm
from tests.chains.sandbox.tron import open_tron
from tests.world import the_invoice
from watcher.domain.deposits import DepositStatus
from watcher.domain.invoices import Flag, InvoiceStatus

NETWORKS: dict[str, tuple[Callable[[], Any], Callable[..., Embedded]]] = {
    "ethereum": (open_evm, on_ethereum),
    "polygon": (lambda: open_evm(polygon(POLYGON.chain_id, POLYGON.assets)), on_polygon),
    "tron": (open_tron, on_tron),
}


@asynccontextmanager
async def open_nodes(name: str, count: int) -> AsyncIterator[Embedded]:
    """So many nodes of that network, which make one chain."""
    open_node, gather = NETWORKS[name]
    async with AsyncExitStack() as stack:
        yield gather(*[await stack.enter_async_context(open_node()) for _ in range(count)])


@pytest.fixture(params=NETWORKS)
async def nodes(request: pytest.FixtureRequest) -> AsyncIterator[Embedded]:
    """Three, so that two agree while one lies."""
    async with open_nodes(request.param, 3) as opened:
        yield opened


@pytest.fixture
async def stage(nodes: Embedded, engine: Engine) -> AsyncIterator[Stage]:
    async with open_stage(engine, nodes) as opened:
        yield opened


def states(stage: Stage) -> list[str]:
    return [each.state for each in stage.clients[0].endpoints()]


@pytest.mark.parametrize("lie", get_args(Lie))
async def test_30_a_lie_about_a_block_is_caught_and_asked_elsewhere(
    stage: Stage, nodes: Embedded, lie: Lie
) -> None:
    nodes.nodes[0].faults.lie = lie
    coin, token = stage.node.spec.assets[:2]
    await stage.attack("plain", token, honest=coin)
    await stage.assert_paid(token, {"log/0": DUE})
    assert states(stage) == ["quarantined", "healthy", "healthy"]


async def test_30_a_node_of_another_chain_is_not_believed(stage: Stage, nodes: Embedded) -> None:
    nodes.nodes[0].faults.wrong_chain = True
    token = stage.node.spec.assets[1]
    await stage.attack("plain", token)
    await stage.assert_paid(token, {"log/0": DUE})
    assert states(stage) == ["quarantined", "healthy", "healthy"]


async def test_30_a_node_without_a_blocks_results_does_not_make_it_empty(
    stage: Stage, nodes: Embedded
) -> None:
    nodes.nodes[0].faults.absent = True
    token = stage.node.spec.assets[1]
    await stage.attack("plain", token)
    await stage.assert_paid(token, {"log/0": DUE})


async def test_30_a_node_that_lags_delays_and_loses_nothing(stage: Stage, nodes: Embedded) -> None:
    await stage.follow(1)
    nodes.nodes[0].faults.lag = 3
    token = stage.node.spec.assets[1]
    await stage.attack("plain", token)
    await stage.assert_paid(token, {"log/0": DUE})


async def test_32_money_on_another_network_is_recorded_and_pays_nothing(engine: Engine) -> None:
    """One address on both; the invoice is to be paid on one of them."""
    async with (
        open_nodes("ethereum", 1) as right,
        open_nodes("polygon", 1) as wrong,
        open_stage(engine, right, wrong) as stage,
    ):
        stray = POLYGON.assets[1]
        wrong.pay(DUE, stray, right.victim)
        await stage.prove_honest(ETHEREUM.assets[0])
        [deposit] = await stage.stored()
        assert (deposit.network, deposit.method) == (POLYGON.name, stray.method)
        assert (deposit.units, deposit.status) == (DUE, DepositStatus.CONFIRMED)
        invoice = await the_invoice(engine)
        assert (invoice.status, invoice.seen) == (InvoiceStatus.AWAITING_PAYMENT, 0)
        assert invoice.flags == {Flag.WRONG_ASSET}
