"""Stories of reading again: what was missing is added once, and never from a block not ours."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

import storage
from chains.base import ChainUnavailable
from storage import Engine
from tests.factories import FAMILY, NETWORK, make_hash, make_invoice, make_transfer
from tests.fakes import FakeChain
from tests.world import (
    catch_up,
    make_follower,
    make_policy,
    open_in_shop,
    open_shop,
    the_invoice,
    told,
)
from watcher import corroboration, finality, recount, rescan
from watcher.accepting import Decision, accept
from watcher.domain.blocks import Block
from watcher.domain.copies import read_together
from watcher.domain.invoices import InvoiceStatus
from watcher.domain.money import Address
from watcher.explain import explain
from watcher.follower import Follower
from watcher.policy import Policy
from watcher.refused import BadField, NotOurs
from watcher.rescan import Rescan, plan

POLICY = make_policy()
IMPORTED = Address("0x" + "d4" * 20)
USDC = make_transfer().method


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    monkeypatch.setattr(corroboration, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(rescan, "PAUSES", (0.0, 0.0))


@pytest.fixture
def chain() -> FakeChain:
    return FakeChain()


@pytest.fixture
async def follower(chain: FakeChain, engine: Engine) -> Follower:
    await open_shop(engine)
    return make_follower(chain, engine)


async def read_again(
    engine: Engine, chain: FakeChain, first: int = 0, last: int | None = None
) -> int:
    """How many deposits a rescan adds."""
    span = await plan(engine, POLICY, NETWORK, first, last)
    job = Rescan(engine, POLICY, chain, span)
    await job.run()
    assert job.done == span.blocks
    return len(job.added)


async def import_address(engine: Engine) -> None:
    """Give a second invoice an address that was paid to already."""
    async with storage.write(engine) as conn:
        await open_in_shop(conn, make_invoice(key="2", addresses={FAMILY: IMPORTED}))


async def test_nothing_is_added_where_nothing_is_missing(chain, follower, engine):
    chain.mine(make_transfer(100))
    await catch_up(follower)
    before = await told(engine)
    assert await read_again(engine, chain) == 0
    assert await told(engine) == before


async def test_a_payment_to_an_address_imported_later_is_found_once(chain, follower, engine):
    chain.mine(make_transfer(100, to=IMPORTED))
    await catch_up(follower)
    await import_address(engine)
    assert await told(engine) == []

    assert await read_again(engine, chain) == 1
    assert (await the_invoice(engine, "2")).status is InvoiceStatus.CONFIRMING
    assert await told(engine) == ["deposit.detected", "invoice.confirming"]
    assert await read_again(engine, chain) == 0
    assert await told(engine) == ["deposit.detected", "invoice.confirming"]


async def test_money_older_than_its_invoice_is_recorded_and_counts_only_once_accepted(
    chain, follower, engine
):
    chain.mine(make_transfer(100, to=IMPORTED))
    await catch_up(follower)
    later = {"created_at": 5000, "expires_at": 9000}
    async with storage.write(engine) as conn:
        reused = make_invoice(key="2", addresses={FAMILY: IMPORTED}, **later)
        await open_in_shop(conn, reused)

    assert await read_again(engine, chain) == 1
    assert (await the_invoice(engine, "2")).status is InvoiceStatus.AWAITING_PAYMENT
    assert await told(engine) == ["deposit.detected"]
    [move] = (await explain(engine, POLICY, chain, NETWORK, make_hash("tx1")))["moves"]
    assert move["detail"].endswith("; does not count: early, older than its invoice")

    async with storage.write(engine) as conn:
        await accept(conn, POLICY, None, reused.id, Decision(), 5001)
    assert (await the_invoice(engine, "2")).status is InvoiceStatus.CONFIRMING


async def test_what_was_added_is_confirmed_by_the_follower_at_its_depth(chain, follower, engine):
    chain.mine(make_transfer(100, to=IMPORTED))
    await catch_up(follower)
    await import_address(engine)
    await read_again(engine, chain)
    await catch_up(follower)
    assert (await the_invoice(engine, "2")).status is InvoiceStatus.CONFIRMING
    chain.mine()
    chain.mine()
    await catch_up(follower)
    assert (await the_invoice(engine, "2")).status is InvoiceStatus.PAID


@pytest.mark.parametrize("position", ["log/0", "trace/0/1"])
async def test_what_the_client_did_not_look_for_before_is_found_once(
    chain, follower, engine, position
):
    """A token that was listed later; internal calls that were traced later."""
    chain.unlisted.add(USDC)
    chain.mine(make_transfer(100, position=position))
    await catch_up(follower)
    assert await told(engine) == []
    chain.unlisted.clear()
    assert [await read_again(engine, chain), await read_again(engine, chain)] == [1, 0]
    assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING


async def test_a_deposit_that_was_added_is_orphaned_with_its_block(chain, follower, engine):
    chain.mine(make_transfer(100, to=IMPORTED))
    await catch_up(follower)
    await import_address(engine)
    await read_again(engine, chain)
    chain.reorg(depth=1)
    chain.mine()
    chain.mine()
    await catch_up(follower)
    assert (await the_invoice(engine, "2")).status is InvoiceStatus.AWAITING_PAYMENT
    assert (await told(engine))[2:] == ["deposit.orphaned", "invoice.awaiting_payment"]


async def test_a_reorg_waits_for_what_is_being_added_and_orphans_it(chain, follower, engine):
    gone = chain.mine(make_transfer(100, to=IMPORTED))
    await catch_up(follower)
    await import_address(engine)
    chain.reorg(depth=1)
    chain.mine()
    chain.mine()
    async with storage.write(engine) as conn:
        await recount.add_missing(conn, POLICY, NETWORK, read_together([gone]), 0)
        turns = asyncio.create_task(catch_up(follower))
        assert (await asyncio.wait([turns], timeout=0.3))[0] == set()
    await turns
    assert (await the_invoice(engine, "2")).status is InvoiceStatus.AWAITING_PAYMENT
    assert [kind for kind in await told(engine) if kind.startswith("deposit.")] == [
        "deposit.detected",
        "deposit.orphaned",
    ]


async def test_a_block_that_left_our_chain_adds_nothing(chain, follower, engine):
    """The rescan has read the block; before it stores anything the follower takes the block off."""
    gone = chain.mine(make_transfer(100, to=IMPORTED))
    await catch_up(follower)
    await import_address(engine)
    chain.reorg(depth=1)
    chain.mine()
    chain.mine()
    await catch_up(follower)
    with pytest.raises(NotOurs):
        await add(engine, gone)
    assert await told(engine) == []


async def test_a_fork_that_we_do_not_follow_yet_adds_nothing(chain, follower, engine):
    chain.mine()
    await catch_up(follower)
    await import_address(engine)
    chain.reorg(depth=1)
    chain.mine(make_transfer(100, to=IMPORTED))
    with pytest.raises(NotOurs, match="in our chain"):
        await read_again(engine, chain)
    assert await told(engine) == []


async def test_a_reorg_during_the_pass_is_waited_out(chain, follower, engine, monkeypatch):
    chain.mine()
    await catch_up(follower)
    await import_address(engine)
    chain.reorg(depth=1)
    chain.mine(make_transfer(100, to=IMPORTED))
    chain.mine()

    async def meanwhile(seconds: float) -> None:
        await catch_up(follower)

    monkeypatch.setattr(rescan.asyncio, "sleep", meanwhile)
    await read_again(engine, chain, 1, 1)
    assert (await the_invoice(engine, "2")).status is InvoiceStatus.CONFIRMING


async def add(engine: Engine, block: Block) -> int:
    async with storage.write(engine) as conn:
        reading = read_together([block])
        return len((await recount.add_missing(conn, POLICY, NETWORK, reading, 0)).added)


async def test_a_block_above_our_newest_adds_nothing(chain, follower, engine):
    await catch_up(follower)
    await import_address(engine)
    with pytest.raises(NotOurs, match="above our newest"):
        await add(engine, chain.mine(make_transfer(100, to=IMPORTED)))


async def long_ago(chain: FakeChain, follower: Follower, engine: Engine) -> Block:
    """Pay to an address imported later, in a block that is no longer kept."""
    paid = chain.mine(make_transfer(100, to=IMPORTED))
    for _ in range(20):
        chain.mine()
    await catch_up(follower)
    await import_address(engine)
    return paid


async def test_an_old_block_is_no_ground_until_it_is_final(chain, follower, engine):
    paid = await long_ago(chain, follower, engine)
    with pytest.raises(NotOurs, match="not known to be final"):
        await add(engine, paid)
    with pytest.raises(BadField, match=r"^blocks 0 to 12 ") as refused:
        await plan(engine, POLICY, NETWORK, 0, None)
    assert refused.value.field == "from"
    assert await told(engine) == []


async def test_a_final_block_is_read_again_however_old(chain, follower, engine):
    await long_ago(chain, follower, engine)
    chain.final = 15
    await catch_up(follower)
    assert [await read_again(engine, chain), await read_again(engine, chain)] == [1, 0]
    await catch_up(follower)
    assert (await the_invoice(engine, "2")).status is InvoiceStatus.PAID


async def test_a_final_block_needs_the_agreement_of_endpoints(chain, engine):
    policy = make_policy(agreement=2)
    await open_shop(engine)
    follower = make_follower(chain, engine, policy)
    chain.final = 15
    await long_ago(chain, follower, engine)
    span = await plan(engine, policy, NETWORK, 1, 1)
    with pytest.raises(NotOurs, match="1 of 2 endpoints"):
        await Rescan(engine, policy, chain, span).run()
    assert await told(engine) == []
    chain.names.append("other")
    await Rescan(engine, policy, chain, span).run()
    assert (await told(engine))[:1] == ["deposit.detected"]


async def test_blocks_that_do_not_build_on_each_other_are_refused(chain, follower, engine):
    await long_ago(chain, follower, engine)
    chain.final = 15
    await catch_up(follower)
    blocks = chain.all_blocks()
    stranger = replace(blocks[3], ref=replace(blocks[3].ref, parent_hash=blocks[1].ref.hash))
    chain.reorg(len(blocks) - 3, onto=[stranger, *blocks[4:]])
    with pytest.raises(NotOurs, match="block 3 does not build"):
        await read_again(engine, chain, 1, 5)


async def test_an_outage_is_waited_out_and_a_long_one_told(chain, follower, engine, monkeypatch):
    chain.mine(make_transfer(100, to=IMPORTED))
    await catch_up(follower)
    await import_address(engine)
    chain.down = True
    with pytest.raises(ChainUnavailable):
        await read_again(engine, chain)

    async def back(seconds: float) -> None:
        chain.down = False

    monkeypatch.setattr(rescan.asyncio, "sleep", back)
    assert await read_again(engine, chain) == 1


SECONDED = make_policy(agreement=2, repeat_transfers=True)


async def read_seconded(engine: Engine, chain: FakeChain, policy: Policy = SECONDED) -> int:
    """How many deposits a rescan adds, where no hash commits to transfers."""
    job = Rescan(engine, policy, chain, await plan(engine, policy, NETWORK, 0, None))
    await job.run()
    return len(job.added)


async def test_what_one_endpoint_withholds_another_tells(chain, engine):
    await open_shop(engine)
    chain.names = ["own", "other"]
    chain.silent = {"own": {"log/0"}, "other": {"log/1"}}
    chain.mine(make_transfer(40), make_transfer(60, position="log/1"))
    follower = make_follower(chain, engine, SECONDED)
    await catch_up(follower)
    assert await told(engine) == ["deposit.detected", "invoice.partially_paid"]
    assert [await read_seconded(engine, chain), await read_seconded(engine, chain)] == [1, 0]
    assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING
    for _ in range(4):  # deep enough, and yet each is one endpoint's word
        chain.mine()
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING
    assert "deposit.confirmed" not in await told(engine)


async def read_falsely(chain: FakeChain, engine: Engine) -> Follower:
    """A follower that was told of 60 where all endpoints say 100 from now on."""
    await open_shop(engine)
    chain.names = ["own", "other"]
    chain.false = {"own": {"log/0": make_transfer(60)}}
    chain.mine(make_transfer(100))
    follower = make_follower(chain, engine, SECONDED)
    await catch_up(follower)
    chain.false = {}
    return follower


async def test_what_was_told_falsely_gives_way_to_what_enough_endpoints_repeat(chain, engine):
    follower = await read_falsely(chain, engine)
    for _ in range(3):
        chain.mine()
    await catch_up(follower)
    assert "deposit.confirmed" not in await told(engine)  # deep enough, and nobody repeats it

    assert [await read_seconded(engine, chain), await read_seconded(engine, chain)] == [1, 0]
    await catch_up(follower)
    invoice = await the_invoice(engine)
    assert (invoice.status, invoice.confirmed) == (InvoiceStatus.PAID, 1)
    deposits = [kind for kind in await told(engine) if kind.startswith("deposit.")]
    assert deposits == [
        f"deposit.{was}" for was in ("detected", "orphaned", "detected", "confirmed")
    ]


async def test_of_endpoints_that_differ_none_takes_the_word_of_another_back(chain, engine):
    await read_falsely(chain, engine)
    before = await told(engine)
    chain.false = {"other": {"log/0": make_transfer(70)}}
    assert await read_seconded(engine, chain) == 0
    assert await told(engine) == before


async def test_what_is_confirmed_gives_way_to_nothing(chain, engine):
    await open_shop(engine)
    chain.names = ["own", "other"]
    chain.mine(make_transfer(100))
    for _ in range(3):
        chain.mine()
    await catch_up(make_follower(chain, engine, SECONDED))
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID
    chain.false = {name: {"log/0": make_transfer(60)} for name in chain.names}
    assert await read_seconded(engine, chain) == 0
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID


async def test_a_block_that_returns_holds_what_it_is_read_to_hold_now(chain, engine):
    follower = await read_falsely(chain, engine)
    first = chain.reorg(depth=1)
    chain.mine()
    await catch_up(follower)
    chain.reorg(depth=1, onto=first)
    for _ in range(4):
        chain.mine()
    await catch_up(follower)
    invoice = await the_invoice(engine)
    assert (invoice.status, invoice.confirmed) == (InvoiceStatus.PAID, 1)


async def test_without_the_second_source_nothing_is_called_read(chain, engine):
    await open_shop(engine)
    chain.names, chain.silent = ["own"], {"own": {"log/0"}}
    chain.mine(make_transfer(100))
    await catch_up(make_follower(chain, engine, SECONDED))
    with pytest.raises(ChainUnavailable, match="block 0: 1 of 2 endpoints show it alike"):
        await read_seconded(engine, chain)
    alone = make_policy(agreement=1, endpoints=1, repeat_transfers=True)
    assert await read_seconded(engine, chain, alone) == 0  # and the status warns of it


def by_traces(agreement: int = 2) -> Policy:
    """A network whose blocks commit to all but what traces tell."""
    policy = make_policy(agreement=agreement)
    network = policy.networks[NETWORK]
    spec = replace(network.spec, needs_traces=True)
    return replace(policy, networks={NETWORK: replace(network, spec=spec)})


async def test_a_call_that_one_tracer_withholds_another_tells(chain, engine):
    """Without it what follows has another place: that of a stranger's is not the shop's."""
    await open_shop(engine)
    chain.names = ["own", "other"]
    stranger, shop = (
        make_transfer(40, position="trace/0", to=IMPORTED),
        make_transfer(100, position="trace/0"),
    )
    chain.mine()
    chain.alone = {"own": [stranger], "other": [shop, replace(stranger, position="trace/1")]}
    follower = make_follower(chain, engine, by_traces())
    await catch_up(follower)
    assert await told(engine) == []
    assert await read_seconded(engine, chain, by_traces(agreement=1)) == 0
    assert await read_seconded(engine, chain, by_traces()) == 1
    assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING


async def test_two_payments_that_endpoints_put_at_one_place_are_recorded_as_the_first(
    chain, engine
):
    await open_shop(engine)
    chain.names = ["own", "other"]
    chain.mine()
    chain.alone = {
        name: [make_transfer(units, position="trace/0")]
        for name, units in {"own": 40, "other": 60}.items()
    }
    chain.final = 0
    await catch_up(make_follower(chain, engine, by_traces()))
    assert await read_seconded(engine, chain, by_traces()) == 0
    assert await told(engine) == ["deposit.detected", "invoice.partially_paid"]


async def test_where_nobody_traces_a_block_it_is_read_as_ever(chain, engine):
    await open_shop(engine)
    chain.mine(make_transfer(100, to=IMPORTED))
    await catch_up(make_follower(chain, engine, by_traces()))
    await import_address(engine)
    chain.copied = False
    assert await read_seconded(engine, chain, by_traces()) == 1


async def test_it_works_while_the_follower_runs(chain, follower, engine):
    """Both write; each payment is there once, and every event has its number."""
    for number in range(6):
        chain.mine(make_transfer(10, to=IMPORTED, tx=f"old{number}"))
    await catch_up(follower)
    await import_address(engine)
    for number in range(6):
        chain.mine(make_transfer(10, to=IMPORTED, tx=f"new{number}"))
    added, _ = await asyncio.gather(read_again(engine, chain, 0, 6), catch_up(follower))
    assert added == 6
    assert (await told(engine)).count("deposit.detected") == 12


async def test_two_at_once_add_everything_once(chain, follower, engine):
    for number in range(4):
        chain.mine(make_transfer(10, to=IMPORTED, tx=f"{number}"))
    await catch_up(follower)
    await import_address(engine)
    added = await asyncio.gather(*(read_again(engine, chain) for _ in range(2)))
    assert sum(added) == 4
    assert (await told(engine)).count("deposit.detected") == 4


@pytest.mark.parametrize(
    ("network", "first", "last", "field"),
    [
        ("bitcoin", 0, None, "network"),
        (NETWORK, -1, None, "from"),
        (NETWORK, 3, 2, "from"),
        (NETWORK, 99, None, "from"),
        (NETWORK, 0, 99, "to"),
    ],
)
async def test_a_span_that_cannot_be_is_refused(
    chain, follower, engine, network, first, last, field
):
    chain.mine()
    chain.mine()
    chain.mine()
    await catch_up(follower)
    with pytest.raises(BadField) as refused:
        await plan(engine, POLICY, network, first, last)
    assert refused.value.field == field


async def test_a_network_that_nobody_followed_yet_has_nothing_to_read_again(engine):
    with pytest.raises(BadField) as refused:
        await plan(engine, POLICY, NETWORK, 0, None)
    assert refused.value.field == "network"
