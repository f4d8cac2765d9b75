"""Stories of two networks of one family: an address is the same on both; on both engines."""

from __future__ import annotations

import pytest

import storage
from storage import Engine
from tests.factories import ADDRESS, NETWORK, make_id, make_transfer
from tests.fakes import FakeChain
from tests.world import catch_up, make_follower, make_policy, open_shop, the_invoice, told
from watcher import finality
from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.invoices import Flag, InvoiceStatus
from watcher.domain.money import Address, Method, Network
from watcher.follower import Follower

OTHER = Network("ethereum")
POLICY = make_policy((NETWORK, OTHER))
SAME_COIN_ELSEWHERE = Method("ethereum:usdc")


@pytest.fixture
def chains() -> tuple[FakeChain, FakeChain]:
    """The network of the invoice's quote, and the other one."""
    return FakeChain(), FakeChain()


@pytest.fixture
async def followers(
    chains: tuple[FakeChain, FakeChain], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> tuple[Follower, Follower]:
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    await open_shop(engine)
    right, wrong = chains
    return (
        make_follower(right, engine, POLICY, NETWORK),
        make_follower(wrong, engine, POLICY, OTHER),
    )


async def follow(followers: tuple[Follower, Follower]) -> None:
    for follower in followers:
        await catch_up(follower)


async def deposits(engine: Engine) -> list[Deposit]:
    async with storage.read(engine) as conn:
        return await storage.deposits.listing(conn, make_id("mer"), limit=100)


async def test_money_sent_on_the_other_network_is_found_and_flagged(
    chains: tuple[FakeChain, FakeChain], followers: tuple[Follower, Follower], engine: Engine
) -> None:
    _, wrong = chains
    wrong.mine(make_transfer(100, SAME_COIN_ELSEWHERE))
    for chain in chains:
        for _ in range(3):
            chain.mine()
    await follow(followers)
    invoice = await the_invoice(engine)
    assert (invoice.status, invoice.flags) == (InvoiceStatus.AWAITING_PAYMENT, {Flag.WRONG_ASSET})
    (deposit,) = await deposits(engine)
    assert (deposit.network, deposit.method, deposit.address) == (
        OTHER,
        SAME_COIN_ELSEWHERE,
        ADDRESS,
    )
    assert (deposit.units, deposit.status) == (100, DepositStatus.CONFIRMED)
    assert "deposit.detected" in await told(engine)


async def test_it_pays_nothing_and_what_was_asked_for_still_pays(
    chains: tuple[FakeChain, FakeChain], followers: tuple[Follower, Follower], engine: Engine
) -> None:
    right, wrong = chains
    wrong.mine(make_transfer(100, SAME_COIN_ELSEWHERE))
    right.mine(make_transfer(100))
    for chain in chains:
        for _ in range(3):
            chain.mine()
    await follow(followers)
    invoice = await the_invoice(engine)
    assert (invoice.status, invoice.flags) == (InvoiceStatus.PAID, {Flag.WRONG_ASSET})
    assert [each.units for each in await deposits(engine)] == [100, 100]


async def test_a_reorg_of_the_other_network_takes_the_flag_and_nothing_else(
    chains: tuple[FakeChain, FakeChain], followers: tuple[Follower, Follower], engine: Engine
) -> None:
    right, wrong = chains
    right.mine(make_transfer(100))
    wrong.mine(make_transfer(100, SAME_COIN_ELSEWHERE))
    await follow(followers)
    assert Flag.WRONG_ASSET in (await the_invoice(engine)).flags

    wrong.reorg(depth=1)
    for _ in range(2):
        wrong.mine()
    await follow(followers)
    invoice = await the_invoice(engine)
    assert invoice.status is InvoiceStatus.CONFIRMING
    assert Flag.WRONG_ASSET not in invoice.flags


async def test_one_hash_on_both_networks_is_two_deposits(
    chains: tuple[FakeChain, FakeChain], followers: tuple[Follower, Follower], engine: Engine
) -> None:
    """A transaction without a chain id can be sent again on the other network, hash and all."""
    for chain, method in zip(chains, (Method("polygon:usdc"), SAME_COIN_ELSEWHERE), strict=True):
        chain.mine(make_transfer(100, method, tx="replayed"))
    await follow(followers)
    found = await deposits(engine)
    assert len({each.tx_hash for each in found}) == 1
    assert len({each.id for each in found}) == 2


async def test_an_address_of_nobody_is_nothing_on_either_network(
    chains: tuple[FakeChain, FakeChain], followers: tuple[Follower, Follower], engine: Engine
) -> None:
    stranger = Address(ADDRESS.replace("a1", "e5"))
    for chain, method in zip(chains, (Method("polygon:usdc"), SAME_COIN_ELSEWHERE), strict=True):
        chain.mine(make_transfer(100, method, stranger))
    await follow(followers)
    assert await deposits(engine) == []
    assert await told(engine) == []
