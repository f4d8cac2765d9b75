"""Stories of endpoints that differ about what no block's hash commits to, and of reading it again.

One of them lies: it withholds a transfer, invents one, or tells another in its place. Whatever
place it has among the others, and however long it goes on, what is true is confirmed once.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

import storage
from storage import Engine
from tests.factories import (
    ADDRESS,
    FAMILY,
    METHOD,
    NETWORK,
    make_hash,
    make_id,
    make_invoice,
    make_transfer,
)
from tests.fakes import FakeChain
from tests.world import catch_up, make_follower, make_policy, open_shop, the_invoice, told
from watcher import corroboration, finality, rescan
from watcher.audit import Audit
from watcher.domain.copies import read_together
from watcher.domain.deposits import DepositStatus
from watcher.domain.invoices import InvoiceStatus
from watcher.domain.money import Address
from watcher.domain.stand_ins import is_stand_in
from watcher.findings import accept_finding
from watcher.follower import Follower
from watcher.invoicing import cancel_invoice
from watcher.policy import Policy
from watcher.recount import add_missing, differences
from watcher.refused import MoneySeen
from watcher.rescan import Rescan, plan

AGREEMENT = 2
REPEATED = make_policy(agreement=AGREEMENT, repeat_transfers=True, endpoints=3)
OTHER = Address("0x" + "d4" * 20)
STRANGER = Address("0x" + "e5" * 20)
ORDERS = [("liar", "t1", "t2"), ("t1", "liar", "t2"), ("t1", "t2", "liar")]


def traced() -> Policy:
    """A network whose blocks commit to all but what traces tell."""
    policy = make_policy(agreement=AGREEMENT, endpoints=3)
    network = policy.networks[NETWORK]
    return replace(
        policy,
        networks={NETWORK: replace(network, spec=replace(network.spec, needs_traces=True))},
    )


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    monkeypatch.setattr(corroboration, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(rescan, "PAUSES", (0.0, 0.0))


class Shop:
    """An invoice over 100, one for another payee, and endpoints of which one lies."""

    def __init__(self, engine: Engine, names: tuple[str, ...], policy: Policy = REPEATED) -> None:
        self.engine, self.policy = engine, policy
        self.chain = FakeChain(names)
        self.follower: Follower = make_follower(self.chain, engine, policy)

    async def open(self) -> None:
        other = make_invoice(key="2", addresses={FAMILY: OTHER})
        await open_shop(self.engine, make_invoice(), other)

    async def live(self, blocks: int = 4) -> None:
        """Mine and follow; all of it is final."""
        for _ in range(blocks):
            self.chain.mine()
        self.chain.final = self.chain.tip.number
        await catch_up(self.follower)
        await catch_up(self.follower)  # what is final is asked first

    async def rescan(self) -> Rescan:
        job = Rescan(
            self.engine,
            self.policy,
            self.chain,
            await plan(self.engine, self.policy, NETWORK, 0, None),
        )
        await job.run()
        return job

    async def accept_surplus(self) -> None:
        await Audit(self.engine, self.policy.networks[NETWORK], self.chain).run()
        async with storage.read(self.engine) as conn:
            [finding] = await storage.findings.listing(conn)
        async with storage.write(self.engine) as conn:
            await accept_finding(conn, self.policy, finding.id, 5000)

    async def standing(self) -> list[tuple[str, int, DepositStatus]]:
        """Position, `audit` where an operator accepted it, units and status of what there is."""
        async with storage.read(self.engine) as conn:
            held = await storage.deposits.listing(conn, make_id("mer"))
        gone = DepositStatus.ORPHANED
        return sorted(
            ("audit" if is_stand_in(each) else each.position, each.units, each.status)
            for each in held
            if each.status is not gone
        )


CONFIRMED, PENDING = DepositStatus.CONFIRMED, DepositStatus.PENDING


async def open_shop_of(engine: Engine, *names: str, policy: Policy = REPEATED) -> Shop:
    shop = Shop(engine, names, policy)
    await shop.open()
    return shop


async def accepted(engine: Engine, *names: str, policy: Policy = REPEATED) -> Shop:
    """A shop whose payment of 100 the first endpoint withheld, so that it was accepted by hand."""
    shop = await open_shop_of(engine, *names, policy=policy)
    kind = "log" if policy is REPEATED else "trace"
    shop.chain.silent = {names[0]: {f"{kind}/0"}}
    shop.chain.mine(make_transfer(100, position=f"{kind}/0"))
    await shop.live()
    await shop.accept_surplus()
    assert await shop.standing() == [("audit", 100, CONFIRMED)]
    return shop


@pytest.mark.parametrize("invented", ["moved", "elsewhere"])
@pytest.mark.parametrize("kind", ["log", "trace"])
async def test_what_one_endpoint_invents_takes_no_accepted_deposits_place(engine, kind, invented):
    policy = REPEATED if kind == "log" else traced()
    shop = await accepted(engine, "liar", "t1", "t2", policy=policy)
    tx = "1" if invented == "moved" else "invented"
    shop.chain.alone = {"liar": [make_transfer(100, position=f"{kind}/1", tx=tx)]}
    job = await shop.rescan()
    await shop.live()
    true = (f"{kind}/0", 100, CONFIRMED)
    assert await shop.standing() == [true]
    assert [each.position for each in job.added] == [f"{kind}/0"]
    [warning] = [each for each in job.warnings if f"{kind}/1" in each]
    assert "was not added: 1 of 2 endpoints repeat it" in warning
    invoice = await the_invoice(engine)
    assert (invoice.status, invoice.confirmed) == (InvoiceStatus.PAID, 1)

    await shop.rescan()
    await shop.live()
    assert await shop.standing() == [true]
    assert "invoice.reverted" not in await told(engine)


async def test_of_two_endpoints_that_differ_neither_takes_an_accepted_deposits_place(engine):
    shop = await accepted(engine, "liar", "t1")
    shop.chain.alone = {"liar": [make_transfer(100, position="log/1")]}
    job = await shop.rescan()
    await shop.live()
    assert await shop.standing() == [("audit", 100, CONFIRMED)]
    assert (job.added, len(job.warnings)) == ([], 2)

    shop.chain.silent = shop.chain.alone = {}
    await shop.rescan()
    await shop.live()
    assert await shop.standing() == [("log/0", 100, CONFIRMED)]
    assert (await the_invoice(engine)).confirmed == 1


async def test_what_is_accepted_while_a_block_is_read_again_is_counted_once(engine):
    """The rescan knew of no accepted deposit when it asked who repeats what it found."""
    shop = await open_shop_of(engine, "liar", "t1")
    shop.chain.silent = {"liar": {"log/0"}}
    shop.chain.mine(make_transfer(100))
    await shop.live()
    reading = read_together([*(await shop.chain.copies(1)).values()])
    async with storage.read(engine) as conn:
        differ = await differences(conn, shop.policy, NETWORK, reading, 5000)
    assert ([each.units for each in differ.found], differ.doubtful) == ([100], [])
    await shop.accept_surplus()
    async with storage.write(engine) as conn:
        mended = await add_missing(conn, shop.policy, NETWORK, reading, 5000)
    assert (mended.added, mended.orphaned) == ([], [])
    assert await shop.standing() == [("audit", 100, CONFIRMED)]


@pytest.mark.parametrize("names", ORDERS, ids="-".join)
@pytest.mark.parametrize(
    "lie",
    [make_transfer(60), make_transfer(100, to=OTHER), make_transfer(100, to=STRANGER)],
    ids=["less", "to another invoice", "to a stranger"],
)
async def test_what_most_endpoints_show_is_confirmed_while_one_goes_on_lying(engine, names, lie):
    shop = await open_shop_of(engine, *names)
    shop.chain.false = {"liar": {"log/0": lie}}
    shop.chain.mine(make_transfer(100))
    await shop.live()
    for _ in range(2):
        await shop.rescan()
        await shop.live()
        assert await shop.standing() == [("log/0", 100, CONFIRMED)]
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID
    assert (await the_invoice(engine, "2")).status is not InvoiceStatus.CONFIRMING
    assert shop.follower.health.short == []


async def test_a_strangers_payment_told_as_ours_is_taken_back(engine):
    shop = await open_shop_of(engine, "liar", "t1", "t2")
    shop.chain.false = {"liar": {"log/0": make_transfer(100)}}
    shop.chain.mine(make_transfer(100, to=STRANGER))
    await shop.live()
    assert await shop.standing() == [("log/0", 100, PENDING)]
    job = await shop.rescan()
    assert [each.position for each in job.orphaned] == ["log/0"]
    assert await shop.standing() == []


async def invented(engine: Engine, *names: str, position: str = "log/0") -> Shop:
    """A shop to which the first endpoint told of 100 that nobody else shows."""
    policy = traced() if position.startswith("trace") else REPEATED
    shop = await open_shop_of(engine, *names, policy=policy)
    shop.chain.alone = {names[0]: [make_transfer(100, position=position)]}
    shop.chain.mine()
    await shop.live()
    assert await shop.standing() == [(position, 100, PENDING)]
    assert shop.follower.health.short != []
    return shop


@pytest.mark.parametrize("position", ["log/0", "trace/0"])
@pytest.mark.parametrize("still", [False, True], ids=["it stopped", "it goes on"])
async def test_what_nobody_else_shows_is_taken_back(engine, position, still):
    shop = await invented(engine, "liar", "t1", "t2", position=position)
    if not still:
        shop.chain.alone = {}
    job = await shop.rescan()
    assert [(each.position, each.status) for each in job.orphaned] == [
        (position, DepositStatus.ORPHANED)
    ]
    assert job.added == []
    assert await shop.standing() == []
    await shop.live()
    assert shop.follower.health.short == []
    assert (await the_invoice(engine)).status is InvoiceStatus.AWAITING_PAYMENT
    assert await told(engine) == [
        *("deposit.detected", "invoice.confirming"),
        *("deposit.orphaned", "invoice.awaiting_payment"),
    ]
    async with storage.write(engine) as conn:
        await cancel_invoice(conn, shop.policy, None, make_id("inv"), 500)
    assert (await the_invoice(engine)).status is InvoiceStatus.CANCELLED


async def test_an_invoice_past_its_deadline_expires_once_the_invention_is_taken_back(engine):
    shop = await invented(engine, "liar", "t1", "t2")
    await shop.live(120)
    assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING
    with pytest.raises(MoneySeen):
        async with storage.write(engine) as conn:
            await cancel_invoice(conn, shop.policy, None, make_id("inv"), 500)
    await shop.rescan()
    assert (await the_invoice(engine)).status is InvoiceStatus.EXPIRED


async def test_what_was_taken_back_returns_only_once_enough_endpoints_show_it(engine):
    shop = await invented(engine, "liar", "t1")
    lies, shop.chain.alone = shop.chain.alone, {}
    await shop.rescan()
    assert await shop.standing() == []
    before = await told(engine)
    shop.chain.alone = lies
    for _ in range(2):
        job = await shop.rescan()
        assert (job.added, await shop.standing()) == ([], [])
        [warning] = job.warnings
        assert warning.startswith(f"block 1, transaction 0x{make_hash('tx1')}: log/0, which pays ")
    assert await told(engine) == before

    shop.chain.alone = {name: lies["liar"] for name in shop.chain.names}
    await shop.rescan()
    await shop.live()
    assert await shop.standing() == [("log/0", 100, CONFIRMED)]


async def test_of_two_endpoints_one_that_shows_nothing_takes_nothing_back(engine):
    shop = await invented(engine, "liar", "t1")
    assert (await shop.rescan()).orphaned == []
    assert await shop.standing() == [("log/0", 100, PENDING)]
    assert shop.follower.health.short != []


async def test_nothing_is_taken_back_in_a_block_that_is_not_final(engine):
    shop = await open_shop_of(engine, "liar", "t1", "t2")
    shop.chain.alone = {"liar": [make_transfer(100)]}
    shop.chain.mine()
    await catch_up(shop.follower)
    assert (await shop.rescan()).orphaned == []
    assert await shop.standing() == [("log/0", 100, PENDING)]


async def test_nothing_is_taken_back_where_too_few_copies_can_be_read(engine):
    shop = await invented(engine, "liar", "t1", "t2", position="trace/0")
    shop.chain.alone, shop.chain.names = {}, ["t1"]  # the others trace no more
    assert (await shop.rescan()).orphaned == []
    assert await shop.standing() == [("trace/0", 100, PENDING)]


async def test_an_inner_call_that_others_do_not_keep_is_not_taken_back(engine):
    shop = await open_shop_of(engine, "keeps", "t1", "t2")
    shop.chain.silent = {"t1": {"internal/0"}, "t2": {"internal/0"}}
    shop.chain.mine(make_transfer(100, position="internal/0"))
    await shop.live()
    assert (await shop.rescan()).orphaned == []
    assert [each[1:] for each in await shop.standing()] == [(100, PENDING)]


async def test_what_is_no_longer_listed_is_not_taken_back(engine):
    shop = await open_shop_of(engine, "own", "t1", "t2")
    shop.chain.silent = {"t1": {"log/0"}, "t2": {"log/0"}}
    shop.chain.mine(make_transfer(100))
    await shop.live()
    network = REPEATED.networks[NETWORK]
    assets = {name: each for name, each in network.assets.items() if name != METHOD}
    shop.policy = replace(REPEATED, networks={NETWORK: replace(network, assets=assets)})
    shop.chain.unlisted = {METHOD}
    assert (await shop.rescan()).orphaned == []
    assert await shop.standing() == [("log/0", 100, PENDING)]


async def test_what_is_confirmed_is_not_taken_back_whoever_denies_it(engine):
    shop = await open_shop_of(engine, "t1", "t2", "t3")
    shop.chain.mine(make_transfer(100))
    await shop.live()
    shop.chain.silent = {name: {"log/0"} for name in shop.chain.names}
    assert (await shop.rescan()).orphaned == []
    assert await shop.standing() == [("log/0", 100, CONFIRMED)]


async def test_where_one_endpoint_decides_its_silence_takes_nothing_back(engine):
    policy = make_policy(agreement=1, repeat_transfers=True, endpoints=1)
    shop = await open_shop_of(engine, "own", policy=policy)
    shop.chain.alone = {"own": [make_transfer(100)]}
    shop.chain.mine()
    await catch_up(shop.follower)
    shop.chain.alone = {}
    await shop.live()
    assert (await shop.rescan()).orphaned == []
    assert await shop.standing() == [("log/0", 100, PENDING)]


async def test_a_log_that_one_moved_on_is_added_where_the_others_show_it_and_once(engine):
    """Seen at the wrong place first: the true one is brought, and the false one taken back."""
    shop = await open_shop_of(engine, "liar", "t1", "t2")
    shop.chain.silent = {"liar": {"log/0"}}
    shop.chain.alone = {"liar": [make_transfer(100, position="log/1")]}
    shop.chain.mine(make_transfer(100))
    await shop.live()
    assert await shop.standing() == [("log/1", 100, PENDING)]
    await shop.rescan()
    await shop.live()
    assert await shop.standing() == [("log/0", 100, CONFIRMED)]
    invoice = await the_invoice(engine)
    assert (invoice.confirmed, invoice.seen, invoice.addresses[FAMILY]) == (1, 1, ADDRESS)
