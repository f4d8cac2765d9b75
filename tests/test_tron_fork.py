"""The story of a true Tron fork: recorded blocks through client, follower and ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import storage
from chains.base import ClientOptions, EndpointSettings
from chains.tron import TRON
from chains.tvm.client import TronClient, read_here
from storage import Engine
from tests.chains.tvm.opened import fork
from tests.chains.tvm.recorded import PRIVATE, load
from tests.factories import make_id, make_invoice, make_quote
from tests.javatron import JavaTron
from tests.world import catch_up, open_shop, the_invoice, told
from watcher import finality
from watcher.domain.blocks import Hash
from watcher.domain.deposits import Deposit, DepositRules
from watcher.domain.invoices import Invoice, InvoiceStatus
from watcher.domain.money import Address
from watcher.follower import Follower
from watcher.policy import NetworkPolicy, Policy
from watcher.rates.book import RateBook

TRX = TRON.assets[0]
LATER = 2_000_000_000
RETURNS, VANISHES = ("returns", "watch9", 9_000_000), ("vanishes", "watch2", 4_000_000)
"""Key, receiver and sun: A1 is mined again in another block, A3 expires unmined."""


def invoice(key: str, receiver: str, units: int) -> Invoice:
    """An open invoice over TRX to one of the recorded accounts."""
    account = load(*PRIVATE, "labels.json")["accounts"][receiver]["b58"]
    quotes = [make_quote(units, TRX.method, contract=None, required="finalized")]
    addresses = {TRON.family: Address(account)}
    return make_invoice(key=key, quotes=quotes, addresses=addresses, expires_at=LATER)


@pytest.fixture
async def node() -> AsyncIterator[JavaTron]:
    async with JavaTron(*fork("forkA_before")) as node:
        yield node


@pytest.fixture
async def follower(
    node: JavaTron, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Follower]:
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    await open_shop(engine, invoice(*RETURNS), invoice(*VANISHES))
    options = ClientOptions(
        [EndpointSettings("a", node.url)], [TRX], 1, Hash(node.blocks[0]["blockID"])
    )
    client = TronClient(TRON, options, read=read_here)
    rules = NetworkPolicy(
        spec=TRON,
        chain_id=1,
        assets={TRX.method: TRX},
        rules=DepositRules("finalized", {}),
        reorg_limit=64,
        agreement=1,
        endpoints=1,
        repeat_transfers=True,
        poll_seconds=1,
        start_block=51,
    )
    policy = Policy({TRON.name: rules}, False, 3600, "0", RateBook())
    yield Follower(policy, TRON.name, client, engine, "test:1")
    await client.close()


async def deposits_of(engine: Engine, key: str) -> list[Deposit]:
    """The deposits of an invoice, oldest block first."""
    async with storage.read(engine) as conn:
        found = await storage.deposits.listing(conn, make_id("mer"), limit=100)
    ours = [each for each in found if each.invoice_id == make_id("inv", key)]
    return sorted(ours, key=lambda each: each.block_number)


async def test_a_payment_that_a_fork_moves_is_retracted_and_counted_once_more(
    node: JavaTron, follower: Follower, engine: Engine
) -> None:
    await catch_up(follower)
    assert (await the_invoice(engine, "returns")).status is InvoiceStatus.CONFIRMING
    node.play(*fork("forkA_after"))
    await catch_up(follower)
    old, new = await deposits_of(engine, "returns")
    assert (old.block_number, old.status) == (58, "orphaned")
    assert (new.block_number, new.status) == (83, "pending")
    assert old.tx_hash == new.tx_hash
    assert (await the_invoice(engine, "returns")).status is InvoiceStatus.CONFIRMING

    node.solid = 83
    await catch_up(follower)
    invoice = await the_invoice(engine, "returns")
    assert invoice.status is InvoiceStatus.PAID
    assert invoice.confirmed == 1


async def test_a_payment_that_a_fork_drops_is_retracted_for_good(
    node: JavaTron, follower: Follower, engine: Engine
) -> None:
    await catch_up(follower)
    assert (await the_invoice(engine, "vanishes")).status is InvoiceStatus.CONFIRMING
    node.play(*fork("forkA_after"))
    node.solid = node.head
    await catch_up(follower)
    invoice = await the_invoice(engine, "vanishes")
    assert invoice.status is InvoiceStatus.AWAITING_PAYMENT
    assert invoice.seen == 0
    assert [each.status for each in await deposits_of(engine, "vanishes")] == ["orphaned"]
    kinds = await told(engine)
    assert kinds.count("deposit.orphaned") == 2
    assert kinds.count("invoice.paid") == 1  # the other one


async def test_a_payment_that_is_not_solid_is_not_confirmed(
    node: JavaTron, follower: Follower, engine: Engine
) -> None:
    node.solid = 57
    await catch_up(follower)
    assert [each.status for each in await deposits_of(engine, "returns")] == ["pending"]
    node.solid = 58
    await catch_up(follower)
    assert [each.status for each in await deposits_of(engine, "returns")] == ["confirmed"]
