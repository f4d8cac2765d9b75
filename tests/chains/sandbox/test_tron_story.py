"""A shop that is paid on the embedded Tron node, read by the unmodified client into real books."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from chains.sandbox.control import Pay, Reorg
from chains.sandbox.tron.chain import MOST
from chains.sandbox.tron.flavour import FAKE_COIN
from chains.sandbox.tron.node import TronNode
from chains.sandbox.tron.payments import pay
from chains.tvm.address import CODEC
from storage import Engine
from tests.chains.sandbox.tron import ASSETS, SHOP, START, TRON, TRX, USDT, open_tron, tron_client
from tests.factories import make_invoice, make_quote
from tests.world import catch_up, make_policy, open_shop, the_invoice, told
from watcher.domain.deposits import Depth
from watcher.domain.invoices import InvoiceStatus
from watcher.follower import Follower
from watcher.policy import Policy


def tron_policy(node: TronNode, confirmations: Depth) -> Policy:
    policy = make_policy((TRON.name,), confirmations=confirmations)
    network = replace(
        policy.networks[TRON.name],
        spec=replace(TRON, codec=CODEC),
        chain_id=node.chain.chain_id,
        assets={asset.method: asset for asset in ASSETS},
    )
    return replace(policy, networks={TRON.name: network})


@asynccontextmanager
async def open_story(
    engine: Engine, confirmations: Depth = 3
) -> AsyncIterator[tuple[TronNode, Callable[[], Follower]]]:
    """A shop with an invoice over 100 units of TRX or USDT, to be paid on a node of its own.

    Gives the node, and what makes a follower of it; a second one is what a restart makes.
    """
    quotes = [
        make_quote(100, asset.method, contract=asset.contract, required=confirmations)
        for asset in (TRX, USDT)
    ]
    await open_shop(
        engine,
        make_invoice(
            quotes=quotes, addresses={TRON.family: SHOP}, created_at=START, expires_at=START + 900
        ),
    )
    async with open_tron(finality_blocks=4) as node:
        node.mine()
        client = tron_client(node)
        try:
            policy = tron_policy(node, confirmations)
            yield node, lambda: Follower(policy, TRON.name, client, engine, "test:1")
        finally:
            await client.close()


async def deposits(engine: Engine) -> list[str]:
    """What was told of deposits, in order."""
    return [kind for kind in await told(engine) if kind.startswith("deposit.")]


async def test_a_payment_that_a_fork_lets_run_out_of_energy_is_retracted(engine: Engine) -> None:
    async with open_story(engine) as (node, follow):
        follower = follow()
        paid = pay(node.chain, Pay(SHOP, "100", USDT.contract))
        node.mine()
        await catch_up(follower)
        assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING

        node.reorg(Reorg(1, blocks=2, keep=(paid,), starved=(paid,)))
        await catch_up(follower)
        assert (await the_invoice(engine)).status is InvoiceStatus.AWAITING_PAYMENT
        assert await deposits(engine) == ["deposit.detected", "deposit.orphaned"]

        node.mine(10)
        await catch_up(follower)
        assert (await the_invoice(engine)).status is InvoiceStatus.AWAITING_PAYMENT
        assert await deposits(engine) == ["deposit.detected", "deposit.orphaned"]


async def test_a_payment_that_a_fork_moves_counts_once_where_it_is_now(engine: Engine) -> None:
    async with open_story(engine) as (node, follow):
        follower = follow()
        node.mine()
        paid = pay(node.chain, Pay(SHOP, "100"))
        node.mine()
        await catch_up(follower)
        node.reorg(Reorg(2, blocks=3, keep=(paid,)))
        node.mine(3)
        await catch_up(follower)
        assert (await the_invoice(engine)).status is InvoiceStatus.PAID
        assert await deposits(engine) == [
            "deposit.detected",
            "deposit.orphaned",
            "deposit.detected",
            "deposit.confirmed",
        ]


async def test_a_payment_is_final_when_its_block_is_solid_and_no_block_earlier(
    engine: Engine,
) -> None:
    async with open_story(engine, "finalized") as (node, follow):
        pay(node.chain, Pay(SHOP, "100"))
        node.mine(4)  # one too few: the payment is in the first, and four stand above what is solid
        await catch_up(follow())
        assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING
        node.mine()
        await catch_up(follow())  # anew: what is final is asked now and then only
        assert (await the_invoice(engine)).status is InvoiceStatus.PAID
        assert await deposits(engine) == ["deposit.detected", "deposit.confirmed"]


@pytest.mark.parametrize(
    "orders",
    [
        [Pay(SHOP, "100", way="internal")],
        [Pay(SHOP, "100", USDT.contract, way="internal")],
        [Pay(SHOP, "60"), Pay(SHOP, "40")],
    ],
    ids=["internal TRX", "USDT by a contract", "two to one address"],
)
async def test_what_pays_is_paid(engine: Engine, orders: Sequence[Pay]) -> None:
    async with open_story(engine) as (node, follow):
        follower = follow()
        for order in orders:
            pay(node.chain, order)
        node.mine(5)
        await catch_up(follower)
        assert (await the_invoice(engine)).status is InvoiceStatus.PAID
        assert len(await deposits(engine)) == 2 * len(orders)


async def test_what_only_looks_like_a_payment_is_no_deposit(engine: Engine) -> None:
    async with open_story(engine) as (node, follow):
        follower = follow()
        for order in (
            Pay(SHOP, "100", way="failed"),
            Pay(SHOP, "100", USDT.contract, way="failed"),
            Pay(SHOP, "100", way="reverted"),
            Pay(SHOP, "100", USDT.contract, way="fake"),
            Pay(SHOP, str(MOST), FAKE_COIN),
            Pay(SHOP, "0", USDT.contract),
        ):
            pay(node.chain, order)
        node.mine(5)
        await catch_up(follower)
        assert (await the_invoice(engine)).status is InvoiceStatus.AWAITING_PAYMENT
        assert await told(engine) == []
