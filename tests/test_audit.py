"""Stories of the audit: money that no block shows, money that leaves, and what becomes of both."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest

import storage
from chains.base import EndpointReport, Holding
from storage import Engine
from storage.holdings import Run
from tests.factories import (
    ADDRESS,
    FAMILY,
    METHOD,
    NETWORK,
    make_id,
    make_invoice,
    make_quote,
    make_transfer,
)
from tests.fakes import FakeChain
from tests.world import (
    bodies,
    catch_up,
    make_follower,
    make_policy,
    open_in_shop,
    open_shop,
    the_invoice,
    told,
)
from watcher import audit as audit_module
from watcher import recount
from watcher.audit import Audit, Report
from watcher.domain.audit import Finding, FindingKind, FindingState
from watcher.domain.blocks import BlockRef, Transfer
from watcher.domain.copies import read_together
from watcher.domain.deposits import Deposit, DepositStatus, orphan
from watcher.domain.invoices import Flag, InvoiceStatus
from watcher.domain.money import Address, Asset, Method
from watcher.findings import accept_finding, dismiss_finding, render_finding
from watcher.rates.book import RateBook
from watcher.refused import NoRate, NotFound, NotOpen

POL = Method("polygon:pol")
COIN = 10**18
POLICY = make_policy()
NOW = 5000


def make_report(**facts: object) -> EndpointReport:
    """What an endpoint without limits says of itself; `facts` are fields by name."""
    plain = EndpointReport("own", "healthy", 9, 1, 1, 0, None, 0, 0, None)
    return replace(plain, **facts)  # type: ignore[arg-type]


class World:
    """A shop with one invoice over 2 POL, its chain, its follower and its auditor."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.chain = engine, FakeChain()
        self.follower = make_follower(self.chain, engine, POLICY)
        self.rules = POLICY.networks[NETWORK]

    async def live(self, blocks: int = 1) -> None:
        """Mine, and follow; all of it is final at once."""
        for _ in range(blocks):
            self.chain.mine()
        await catch_up(self.follower)
        self.chain.final = self.chain.tip.number

    async def audit(self) -> Report:
        return await Audit(self.engine, self.rules, self.chain).run()

    def hide(self, units: int, method: Method = POL, to: Address = ADDRESS) -> None:
        """Money in the next block that no block tells of; below zero it leaves."""
        self.chain.moved_in_secret.append((self.chain.tip.number + 1, to, method, units))

    async def findings(self) -> list[Finding]:
        async with storage.read(self.engine) as conn:
            return await storage.findings.listing(conn)

    async def finding(self) -> Finding:
        [only] = await self.findings()
        return only

    async def deposits(self) -> list[Deposit]:
        async with storage.read(self.engine) as conn:
            found = await storage.deposits.listing(conn, make_id("mer"))
        return [each for each in found if each.status is not DepositStatus.ORPHANED]

    async def last_run(self) -> Run:
        async with storage.read(self.engine) as conn:
            return (await storage.holdings.last_runs(conn))[NETWORK]

    async def accept(self, finding: Finding) -> Finding:
        async with storage.write(self.engine) as conn:
            return await accept_finding(conn, POLICY, finding.id, NOW)

    async def rescan(self, first: int = 0) -> None:
        """Read every block from `first` on again, adding what is missing."""
        for number in range(first, self.chain.tip.number + 1):
            block = await self.chain.block(number)
            assert block is not None
            async with storage.write(self.engine) as conn:
                await recount.add_missing(conn, POLICY, NETWORK, read_together([block]), NOW)


@pytest.fixture
async def world(engine: Engine) -> World:
    await open_shop(engine, make_invoice(quotes=[make_quote(2 * COIN, POL, decimals=18)]))
    opened = World(engine)
    await opened.live(3)
    return opened


async def told_of_deposits(engine: Engine) -> list[tuple[str, int]]:
    """The type of each event of a deposit, with the deposit's units."""
    shown = [body["deposit"] for body in await bodies(engine) if "deposit" in body]
    types = [type for type in await told(engine) if type.startswith("deposit.")]
    units = [int(each["amount_units"]) for each in shown if isinstance(each, dict)]
    return list(zip(types, units, strict=True))


def summary(finding: Finding) -> tuple[str, int, int | None, int, str]:
    return finding.kind, finding.units, finding.first, finding.last, finding.state


async def test_books_that_agree_give_no_finding(world: World) -> None:
    world.chain.mine(make_transfer(COIN, POL))
    await world.live()
    report = await world.audit()
    assert (report.run.number, report.run.addresses, report.run.reason) == (5, 1, None)
    assert report.findings == await world.findings() == []
    assert await world.last_run() == report.run


async def test_hidden_money_is_found_in_one_run_and_in_its_block(world: World) -> None:
    await world.audit()
    await world.live(4)
    world.hide(2 * COIN)
    block = world.chain.mine()
    await world.live(7)
    await world.audit()
    finding = await world.finding()
    assert summary(finding) == ("surplus", 2 * COIN, 8, 8, "open")
    assert (finding.network, finding.address, finding.method) == (NETWORK, ADDRESS, POL)
    assert (finding.block_hash, finding.block_time) == (block.ref.hash, block.ref.timestamp)
    # Shown, and nothing else: no deposit, no event, no change of the invoice.
    assert await world.deposits() == []
    assert await told(world.engine) == []
    assert (await the_invoice(world.engine)).status is InvoiceStatus.AWAITING_PAYMENT


async def test_at_the_first_look_the_oldest_block_we_hold_says_where(world: World) -> None:
    await world.live(6)
    world.hide(COIN)
    await world.live(2)
    await world.audit()
    assert summary(await world.finding()) == ("surplus", COIN, 10, 10, "open")


async def test_a_finding_is_stored_once(world: World) -> None:
    world.hide(COIN)
    await world.live()
    for _ in range(3):
        await world.audit()
        await world.live()
    assert len(await world.findings()) == 1


async def test_two_audits_at_once_store_a_finding_once(world: World) -> None:
    await world.audit()
    world.hide(COIN)
    await world.live()
    await asyncio.gather(*(world.audit() for _ in range(3)))
    assert len(await world.findings()) == 1


async def test_without_older_states_the_blocks_between_two_audits_are_told(world: World) -> None:
    world.chain.keeps_states = False
    await world.audit()
    await world.live(4)
    world.hide(COIN)
    await world.live(2)
    await world.audit()
    assert summary(await world.finding()) == ("surplus", COIN, 4, 9, "open")


async def test_without_older_states_a_first_look_knows_no_first_block(world: World) -> None:
    world.chain.keeps_states = False
    world.hide(COIN)
    await world.live()
    await world.audit()
    assert summary(await world.finding()) == ("surplus", COIN, None, 4, "open")


async def test_what_the_owner_takes_out_is_noted_and_no_alarm(world: World) -> None:
    world.chain.mine(make_transfer(2 * COIN, POL))
    await world.live(3)
    await world.audit()
    world.hide(-2 * COIN)
    await world.live(2)
    await world.audit()
    assert summary(await world.finding()) == ("outgoing", 2 * COIN, 8, 8, "noted")
    async with storage.read(world.engine) as conn:
        assert await storage.findings.open_count(conn) == 0


@pytest.mark.parametrize("kind", ["outgoing", "unclear"])
async def test_what_is_missing_at_an_address_with_code_is_told_with_it(
    world: World, kind: str
) -> None:
    world.chain.with_code.add(ADDRESS)
    world.chain.mine(make_transfer(2 * COIN, POL))
    await world.live(3)
    if kind == "outgoing":
        await world.audit()
    world.chain.keeps_states = kind == "outgoing"
    world.hide(-2 * COIN)
    await world.live()
    await world.audit()
    finding = await world.finding()
    assert (finding.kind, finding.state, finding.has_code) == (kind, "open", True)
    assert render_finding(POLICY, finding)["has_code"] is True
    async with storage.read(world.engine) as conn:
        assert await storage.findings.open_count(conn) == 1


async def test_nobody_says_of_a_surplus_whether_its_address_has_code(world: World) -> None:
    world.chain.with_code.add(ADDRESS)
    await world.audit()
    world.hide(COIN)
    await world.live()
    await world.audit()
    finding = await world.finding()
    assert (finding.kind, finding.has_code) == ("surplus", None)


async def test_where_nobody_says_whether_an_address_has_code_the_finding_does_not(
    world: World,
) -> None:
    world.chain.mine(make_transfer(2 * COIN, POL))
    await world.live(3)
    await world.audit()
    world.chain.with_code = None
    world.hide(-2 * COIN)
    await world.live()
    await world.audit()
    finding = await world.finding()
    assert (finding.kind, finding.state, finding.has_code) == ("outgoing", "noted", None)


async def test_paid_and_swept_between_two_audits_is_outgoing_by_older_states(world: World) -> None:
    await world.audit()
    world.chain.mine(make_transfer(2 * COIN, POL))
    await world.live(3)
    world.hide(-2 * COIN)
    await world.live(5)
    await world.audit()
    assert summary(await world.finding()) == ("outgoing", 2 * COIN, 8, 8, "noted")


async def test_paid_and_swept_without_older_states_is_unclear(world: World) -> None:
    world.chain.keeps_states = False
    await world.audit()
    world.chain.mine(make_transfer(2 * COIN, POL))
    world.hide(-2 * COIN)
    await world.live(3)
    await world.audit()
    assert summary(await world.finding()) == ("unclear", 2 * COIN, 4, 7, "open")


async def test_hidden_money_swept_with_the_rest_is_found(world: World) -> None:
    world.chain.mine(make_transfer(2 * COIN, POL))
    await world.live(3)
    await world.audit()
    world.hide(COIN)
    await world.live(4)
    world.hide(-3 * COIN)
    await world.live(4)
    await world.audit()
    assert sorted(map(summary, await world.findings()), key=lambda each: each[3]) == [
        ("surplus", COIN, 8, 8, "open"),
        ("outgoing", 3 * COIN, 12, 12, "noted"),
    ]


async def test_a_transfer_that_brings_less_than_it_says_is_missing(world: World) -> None:
    await world.audit()
    await world.live(3)
    world.hide(-5, METHOD)
    world.chain.mine(make_transfer(100, METHOD))
    await world.live(4)
    await world.audit()
    assert summary(await world.finding()) == ("missing", 5, 7, 7, "open")


async def test_dust_is_no_finding_until_it_adds_up(world: World) -> None:
    for _ in range(3):  # the first look included
        world.hide(4 * 10**11)
        await world.live()
        await world.audit()
    assert [each.units for each in await world.findings()] == [12 * 10**11]


async def test_what_waits_is_compared_again_when_we_have_followed(world: World) -> None:
    world.hide(COIN)
    world.chain.mine()
    world.chain.final = world.chain.tip.number
    report = await world.audit()
    assert report.run.reason == "block 4 is final, and we have not followed so far yet"
    assert (report.run.number, await world.findings()) == (None, [])
    await world.live()
    await world.audit()
    assert (await world.finding()).units == COIN


async def test_a_node_that_is_away_ends_the_run_and_is_told(world: World) -> None:
    world.chain.down = True
    await world.audit()
    assert (await world.last_run()).reason == "down"


async def test_a_final_block_that_is_not_ours_is_no_ground_for_findings(world: World) -> None:
    world.hide(COIN)
    world.chain.mine()
    await world.live(2)
    world.chain.reorg(4)
    for _ in range(4):
        world.chain.mine()
    report = await world.audit()
    assert report.run.reason == f"the final block {world.chain.final} is not the one that we hold"
    assert (report.run.number, await world.findings()) == (None, [])
    assert world.chain.balances_asked == []


async def test_without_a_final_block_nothing_is_compared(world: World) -> None:
    world.chain.final = None
    report = await world.audit()
    assert report.run.reason == "no endpoint says which block is final"


class Hanging(FakeChain):
    """It tells the balances of one address, and then no more until it is mended."""

    def __init__(self) -> None:
        super().__init__()
        self.mended = False
        self.addresses_asked: list[Sequence[Address]] = []

    async def balances(
        self,
        addresses: Sequence[Address],
        assets: Sequence[Asset],
        final: BlockRef,
        number: int | None = None,
    ) -> Sequence[Holding]:
        if self.balances_asked and not self.mended:
            await asyncio.Event().wait()
        self.addresses_asked.append(addresses)
        return await super().balances(addresses, assets, final, number)


async def test_a_run_that_is_not_done_in_time_is_noted_and_the_next_goes_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_module, "BATCH", 1)
    monkeypatch.setattr(audit_module, "LONGEST_SECONDS", 0.5)
    everyone = [Address(f"0x{number:040x}") for number in (1, 2, 3)]
    of_all = enumerate(everyone)
    await open_shop(engine, *(make_invoice(key=str(n), addresses={FAMILY: a}) for n, a in of_all))
    world = World(engine)
    chain = world.chain = Hanging()
    world.follower = make_follower(chain, engine, POLICY)
    await world.live(3)
    run = (await world.audit()).run
    assert run == await world.last_run()
    assert (run.addresses, run.number) == (1, 3)
    assert run.reason == "not done within 0.5 s: the next run goes on from there"
    chain.mended = True
    monkeypatch.setattr(audit_module, "LONGEST_SECONDS", 60)
    asked = len(chain.balances_asked)
    run = (await world.audit()).run
    assert (run.addresses, run.reason) == (3, None)
    assert chain.addresses_asked[asked:] == [[everyone[1]], [everyone[2]], [everyone[0]]]


class Moving(FakeChain):
    """Its final block moves on while it answers."""

    async def balances(
        self,
        addresses: Sequence[Address],
        assets: Sequence[Asset],
        final: BlockRef,
        number: int | None = None,
    ) -> Sequence[Holding]:
        found = await super().balances(addresses, assets, final, number)
        return [replace(each, first=each.first - 2) for each in found]


async def test_a_deposit_while_a_node_answers_is_compared_in_the_next_run(engine: Engine) -> None:
    await open_shop(engine)
    world = World(engine)
    world.chain = Moving()
    world.follower = make_follower(world.chain, engine, POLICY)
    await world.live(3)
    world.chain.mine(make_transfer(100))
    await world.live()
    await world.audit()
    async with storage.read(engine) as conn:
        measures = (await storage.holdings.get(conn, NETWORK, [ADDRESS]))[ADDRESS]
    assert set(measures) == {POL}  # the token waits, the coin does not
    await world.live(2)
    await world.audit()
    async with storage.read(engine) as conn:
        measures = (await storage.holdings.get(conn, NETWORK, [ADDRESS]))[ADDRESS]
    assert measures[METHOD].units == measures[METHOD].ledger == 100
    assert await world.findings() == []


class Mute(FakeChain):
    """A token of it gives no balance."""

    async def balances(
        self,
        addresses: Sequence[Address],
        assets: Sequence[Asset],
        final: BlockRef,
        number: int | None = None,
    ) -> Sequence[Holding]:
        found = await super().balances(addresses, assets, final, number)
        return [replace(each, units=None) if each.method == METHOD else each for each in found]


class Dumb(FakeChain):
    """No address of it has a balance."""

    async def balances(
        self,
        addresses: Sequence[Address],
        assets: Sequence[Asset],
        final: BlockRef,
        number: int | None = None,
    ) -> Sequence[Holding]:
        found = await super().balances(addresses, assets, final, number)
        return [replace(each, units=None) for each in found]


async def test_an_address_that_can_never_be_compared_leaves_the_first_turn_to_others(
    engine: Engine,
) -> None:
    await open_shop(engine)
    world = World(engine)
    world.chain = Dumb()
    world.follower = make_follower(world.chain, engine, POLICY)
    await world.live(3)
    await world.audit()
    later = Address("0x" + "f9" * 20)
    async with storage.write(engine) as conn:
        await open_in_shop(conn, make_invoice(key="2", addresses={FAMILY: later}))
        assert await storage.holdings.urgent(conn, NETWORK, FAMILY, 0) == [later, ADDRESS]


async def test_a_token_without_a_balance_is_told_and_is_not_empty(engine: Engine) -> None:
    await open_shop(engine)
    world = World(engine)
    world.chain = Mute()
    world.follower = make_follower(world.chain, engine, POLICY)
    world.chain.mine(make_transfer(100))
    await world.live(3)
    report = await world.audit()
    assert report.run.reason == f"no balance could be had of {METHOD}"
    assert await world.findings() == []


class Lying(FakeChain):
    """The endpoint that is asked for balances says more of POL than the others, or less."""

    def __init__(self) -> None:
        super().__init__(["liar", "honest"])
        self.more = 0
        self.lies_about: set[int | None] = {None}

    async def balances(
        self,
        addresses: Sequence[Address],
        assets: Sequence[Asset],
        final: BlockRef,
        number: int | None = None,
    ) -> Sequence[Holding]:
        found = await super().balances(addresses, assets, final, number)
        more = self.more if number in self.lies_about else 0
        return [
            replace(each, units=(each.units or 0) + more) if each.method == POL else each
            for each in found
        ]


@pytest.fixture
async def lying(engine: Engine) -> tuple[World, Lying]:
    await open_shop(engine)
    world, chain = World(engine), Lying()
    world.chain, world.rules = chain, replace(world.rules, agreement=2)
    world.follower = make_follower(chain, engine, POLICY)
    await world.live(3)
    return world, chain


async def test_a_balance_that_one_endpoint_invents_is_no_finding(
    lying: tuple[World, Lying],
) -> None:
    world, chain = lying
    chain.more = COIN
    report = await world.audit()
    assert await world.findings() == []
    said = "1 balances differ from the ledger, and fewer than 2 endpoints say so"
    assert report.run.reason == said


async def test_money_that_one_endpoint_hid_does_not_come_a_second_time(
    lying: tuple[World, Lying],
) -> None:
    world, chain = lying
    chain.mine(make_transfer(COIN, method=POL))
    await world.live(2)
    await world.audit()
    chain.more = -COIN
    await world.audit()
    chain.more = 0
    report = await world.audit()
    assert (report.run.reason, await world.findings()) == (None, [])


async def test_what_enough_endpoints_say_is_found(lying: tuple[World, Lying]) -> None:
    world, _ = lying
    world.hide(COIN)
    await world.live(2)
    await world.audit()
    assert (await world.finding()).units == COIN


async def test_an_older_balance_that_one_endpoint_invents_makes_no_surplus(
    lying: tuple[World, Lying],
) -> None:
    world, chain = lying
    await world.audit()
    world.hide(-(10**13))
    await world.live(9)
    chain.more, chain.lies_about = COIN, set(range(20))
    await world.audit()
    assert [each.kind for each in await world.findings()] == [FindingKind.OUTGOING]


async def test_an_accepted_surplus_pays_the_invoice_by_hand(world: World) -> None:
    world.hide(2 * COIN)
    await world.live(2)
    await world.audit()
    accepted = await world.accept(await world.finding())
    assert (accepted.state, accepted.closed_at) == (FindingState.ACCEPTED, NOW)
    [deposit] = await world.deposits()
    assert (deposit.id, deposit.units) == (accepted.deposit_id, 2 * COIN)
    assert (deposit.block_number, deposit.tx_hash) == (4, None)
    assert deposit.position == f"audit/{accepted.id}"
    invoice = await the_invoice(world.engine)
    assert (invoice.status, invoice.flags) == (InvoiceStatus.PAID, {Flag.MANUAL})
    assert await told(world.engine) == ["deposit.confirmed", "invoice.paid"]

    await world.live()
    await world.audit()
    assert await world.finding() == accepted
    with pytest.raises(NotOpen, match="accepted already"):
        await world.accept(accepted)
    assert len(await world.deposits()) == 1


async def test_what_is_found_later_takes_the_place_of_what_was_accepted(world: World) -> None:
    world.chain.unlisted = {POL}  # as if the coin's transfers could not be seen
    world.chain.mine(make_transfer(2 * COIN, POL))
    await world.live(2)
    await world.audit()
    await world.accept(await world.finding())
    world.chain.unlisted = set()
    for _ in range(2):  # also twice
        await world.rescan()
        [deposit] = await world.deposits()
        assert (deposit.position, deposit.units) == ("log/0", 2 * COIN)
        assert (deposit.status, deposit.accepted_by_hand) == (DepositStatus.CONFIRMED, True)
        invoice = await the_invoice(world.engine)
        assert (invoice.status, invoice.flags) == (InvoiceStatus.PAID, {Flag.MANUAL})
    assert "invoice.reverted" not in await told(world.engine)
    assert [type for type in await told(world.engine) if type.startswith("deposit.")] == [
        "deposit.confirmed",
        "deposit.confirmed",
        "deposit.orphaned",
    ]
    await world.live()
    await world.audit()
    assert (await world.finding()).state is FindingState.ACCEPTED


async def test_what_returns_takes_the_place_of_what_was_accepted_for_it(world: World) -> None:
    world.chain.mine(make_transfer(2 * COIN, POL))
    await world.live(2)
    [first] = await world.deposits()
    async with storage.write(world.engine) as conn:  # its block left, and returned without it
        await storage.deposits.save(conn, orphan([first]))
    world.chain.unlisted = {POL}
    await world.audit()
    await world.accept(await world.finding())
    world.chain.unlisted = set()
    await world.rescan()
    [deposit] = await world.deposits()
    assert (deposit.id, deposit.status) == (first.id, DepositStatus.CONFIRMED)
    assert (deposit.accepted, deposit.accepted_by_hand) == (1, True)


async def test_accepted_and_found_at_once_the_money_counts_once(world: World) -> None:
    world.chain.unlisted = {POL}
    world.chain.mine(make_transfer(2 * COIN, POL))
    await world.live(2)
    await world.audit()
    finding = await world.finding()
    world.chain.unlisted = set()
    await asyncio.gather(world.accept(finding), world.rescan(), return_exceptions=True)
    [deposit] = await world.deposits()
    assert (deposit.position, deposit.units) == ("log/0", 2 * COIN)


async def test_more_than_was_accepted_is_confirmed_by_the_usual_rules(world: World) -> None:
    world.chain.unlisted = {POL}
    world.hide(-COIN)
    world.chain.mine(make_transfer(2 * COIN, POL))
    await world.live(2)
    await world.audit()
    await world.accept(await world.finding())  # one of two: the other was taken out at once
    world.chain.unlisted = set()
    await world.rescan()
    [deposit] = await world.deposits()
    assert (deposit.units, deposit.accepted) == (2 * COIN, 1)  # at the value that was decided
    assert deposit.status is DepositStatus.PENDING
    await catch_up(world.follower)
    [deposit] = await world.deposits()
    assert deposit.status is DepositStatus.CONFIRMED


async def test_less_than_was_accepted_takes_its_part_and_leaves_the_rest(world: World) -> None:
    world.chain.unlisted = {POL}
    world.hide(COIN)
    world.chain.mine(make_transfer(COIN, POL))
    await world.live(2)
    await world.audit()
    accepted = await world.accept(await world.finding())
    paid = await the_invoice(world.engine)
    world.chain.unlisted = set()
    for _ in range(2):  # also twice
        await world.rescan()
        found, rest = sorted(await world.deposits(), key=lambda each: each.position, reverse=True)
        assert (found.position, found.units, found.accepted) == ("log/0", COIN, Fraction(1, 2))
        assert rest.position == f"audit/{accepted.id}/{COIN}"
        assert (rest.units, rest.accepted) == (COIN, Fraction(1, 2))
        assert found.status is rest.status is DepositStatus.CONFIRMED
        assert (await world.finding()).deposit_id == rest.id
        after = await the_invoice(world.engine)
        assert (after.status, after.seen, after.confirmed) == (InvoiceStatus.PAID, 1, 1)
        assert after == paid
    # Whoever adds up the events has the same: what was told of is taken back, and told anew.
    assert await told_of_deposits(world.engine) == [
        ("deposit.confirmed", 2 * COIN),
        ("deposit.confirmed", COIN),
        ("deposit.confirmed", COIN),
        ("deposit.orphaned", 2 * COIN),
    ]
    await world.live()
    await world.audit()
    assert (await world.finding()).state is FindingState.ACCEPTED  # and no second one


async def test_what_was_accepted_is_gone_once_all_of_it_is_found(world: World) -> None:
    world.hide(2 * COIN)
    block = world.chain.mine()
    await world.live(2)
    await world.audit()
    await world.accept(await world.finding())
    shown: list[Transfer] = []
    for part, left in ((COIN // 2, 1), (COIN // 2, 1), (COIN, 0)):
        shown.append(make_transfer(part, POL, position=f"trace/{len(shown)}"))
        async with storage.write(world.engine) as conn:
            seen = replace(block, transfers=tuple(shown))
            reading = read_together([seen])
            mended = await recount.add_missing(conn, POLICY, NETWORK, reading, NOW)
        assert [each.position for each in mended.added] == [shown[-1].position]
        deposits = await world.deposits()
        assert len(deposits) == len(shown) + left
        assert sum(each.units for each in deposits) == 2 * COIN
        invoice = await the_invoice(world.engine)
        assert (invoice.status, invoice.confirmed) == (InvoiceStatus.PAID, 1)
    assert [each.position for each in deposits if each.tx_hash is None] == []
    assert "invoice.reverted" not in await told(world.engine)


async def test_a_rescan_of_known_deposits_leaves_an_accepted_one_alone(world: World) -> None:
    world.hide(COIN)
    world.chain.mine(make_transfer(COIN, POL))  # both in one block, the second one seen
    await world.live(2)
    await world.audit()
    await world.accept(await world.finding())
    await world.rescan()
    assert sorted(each.position[:5] for each in await world.deposits()) == ["audit", "log/0"]


async def test_a_finding_is_resolved_once_the_money_is_found(world: World) -> None:
    world.chain.unlisted = {POL}
    world.chain.mine(make_transfer(2 * COIN, POL))
    await world.live(2)
    await world.audit()
    world.chain.unlisted = set()
    await world.rescan()
    finding = await world.finding()
    with pytest.raises(NotOpen, match="the ledger has changed since the audit"):
        await world.accept(finding)
    assert len(await world.deposits()) == 1
    await world.audit()
    assert (await world.finding()).state is FindingState.RESOLVED


async def test_the_finding_of_the_money_that_was_found_is_resolved_and_the_other_counts_once(
    engine: Engine,
) -> None:
    await open_shop(engine, make_invoice(quotes=[make_quote(4 * COIN, POL, decimals=18)]))
    world = World(engine)
    await world.live(3)
    await world.audit()
    world.chain.unlisted = {POL}
    for tx in ("first", "second"):
        world.chain.mine(make_transfer(COIN, POL, tx=tx))
        await world.live()
        await world.audit()
    world.chain.unlisted = set()
    await world.rescan(6)
    await world.audit()
    second, first = await world.findings()
    assert summary(second) == ("surplus", COIN, 6, 6, "resolved")
    assert summary(first) == ("surplus", COIN, 4, 4, "open")
    await world.accept(first)
    await world.rescan()
    await world.live(3)
    report = await world.audit()
    assert sorted(each.block_number for each in await world.deposits()) == [4, 6]
    assert (await the_invoice(engine)).confirmed == Fraction(1, 2)
    assert report.findings == []


async def test_what_is_taken_back_and_what_is_found_at_once_is_no_ground_to_accept(
    world: World,
) -> None:
    world.hide(-COIN)
    world.chain.mine(make_transfer(COIN, POL, tx="false"))
    await world.live()
    await world.audit()
    world.chain.unlisted = {POL}
    world.chain.mine(make_transfer(COIN, POL, tx="unseen"))
    await world.live()
    await world.audit()
    surplus, missing = await world.findings()
    assert (surplus.kind, surplus.first, surplus.last) == ("surplus", 6, 6)
    assert missing.kind is FindingKind.MISSING
    [false] = await world.deposits()
    async with storage.write(world.engine) as conn:
        await storage.deposits.save(conn, orphan([false]))
    world.chain.unlisted = set()
    await world.rescan(6)
    with pytest.raises(NotOpen, match="the ledger has changed since the audit"):
        await world.accept(surplus)
    await world.audit()
    assert {each.state for each in await world.findings()} == {FindingState.RESOLVED}


async def test_only_an_open_surplus_is_accepted(world: World) -> None:
    world.hide(-5, METHOD)
    world.chain.mine(make_transfer(100, METHOD))
    await world.live(4)
    await world.audit()
    finding = await world.finding()
    with pytest.raises(NotOpen, match="only a surplus can become a deposit; this is missing"):
        await world.accept(finding)
    with pytest.raises(NotFound):
        await world.accept(replace(finding, id=make_id("fnd", "9")))


async def test_a_surplus_of_an_asset_without_a_rate_is_not_accepted(world: World) -> None:
    world.hide(5, METHOD)
    await world.live(2)
    await world.audit()
    policy = replace(POLICY, rates=RateBook())
    async with storage.write(world.engine) as conn:
        with pytest.raises(NoRate):
            await accept_finding(conn, policy, (await world.finding()).id, NOW)
    assert await world.deposits() == []


async def test_a_dismissed_finding_is_closed_and_stays_so(world: World) -> None:
    world.hide(COIN)
    await world.live(2)
    await world.audit()
    finding = await world.finding()
    async with storage.write(world.engine) as conn:
        await dismiss_finding(conn, finding.id, NOW)
        with pytest.raises(NotOpen, match="dismissed already"):
            await dismiss_finding(conn, finding.id, NOW)
    await world.live()
    await world.audit()
    assert (await world.finding()).state is FindingState.DISMISSED


async def test_the_others_come_in_turn(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_module, "OTHERS_AT_ONCE", 2)
    paid = [
        make_invoice(
            key=str(number),
            addresses={FAMILY: Address(f"0x{number:040x}")},
            status=InvoiceStatus.PAID,
        )
        for number in range(1, 4)
    ]
    await open_shop(engine, *paid)
    world = World(engine)
    await world.live(3)
    runs = [(await world.audit()).run for _ in range(3)]
    assert [(run.addresses, run.reached) for run in runs] == [
        (2, Address(f"0x{2:040x}")),
        (1, None),
        (2, Address(f"0x{2:040x}")),
    ]


async def test_a_run_spends_a_share_of_the_day_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Metered(FakeChain):
        async def balances(
            self,
            addresses: Sequence[Address],
            assets: Sequence[Asset],
            final: BlockRef,
            number: int | None = None,
        ) -> Sequence[Holding]:
            [report] = self.reports
            self.reports = [replace(report, requests_today=report.requests_today + 60)]
            return await super().balances(addresses, assets, final, number)

    monkeypatch.setattr(audit_module, "BATCH", 1)
    second = make_invoice(key="2", addresses={FAMILY: Address(f"0x{2:040x}")})
    third = make_invoice(key="3", addresses={FAMILY: Address(f"0x{3:040x}")})
    async with storage.write(world.engine) as conn:
        await open_in_shop(conn, second)
        await open_in_shop(conn, third)
    metered = Metered()
    metered.__dict__.update(world.chain.__dict__)
    metered.reports = [make_report(requests_today=1000, daily_requests=100_000)]
    world.chain = metered
    report = await world.audit()
    assert report.run.reason == "own: the 104 requests that a run may spend are spent"
    assert report.run.addresses == 2
    assert (await world.audit()).run.addresses == 2  # and the third comes first now
    async with storage.read(world.engine) as conn:
        everyone = [ADDRESS, *(Address(f"0x{number:040x}") for number in (2, 3))]
        assert len(await storage.holdings.get(conn, NETWORK, everyone)) == 3


async def test_nothing_is_asked_where_following_needs_all_requests(world: World) -> None:
    world.chain.reports = [make_report(daily_requests=1000, forecast_today=1000)]
    report = await world.audit()
    assert report.run.reason == "own: following alone needs the day's requests"
    assert world.chain.balances_asked == []


async def test_the_budget_of_every_endpoint_is_respected(world: World) -> None:
    rich, poor = make_report(), make_report(daily_requests=1000, forecast_today=1000)
    world.chain.reports = [rich, replace(poor, name="second")]
    report = await world.audit()
    assert report.run.reason == "second: following alone needs the day's requests"
    assert world.chain.balances_asked == []


async def test_a_finding_of_a_network_that_is_switched_off_is_not_accepted(world: World) -> None:
    await world.audit()
    world.hide(COIN)
    await world.live(2)
    await world.audit()
    finding = await world.finding()
    nobody = replace(POLICY, networks={})
    with pytest.raises(NotOpen, match="is not enabled"):
        async with storage.write(world.engine) as conn:
            await accept_finding(conn, nobody, finding.id, NOW)
    assert await world.deposits() == []


async def test_the_search_for_a_block_is_bounded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_module, "OLDER_STATES", 2)
    await world.audit()
    await world.live(14)
    world.hide(COIN)
    await world.live(2)
    await world.audit()
    assert len([number for number in world.chain.balances_asked if number is not None]) == 2
    finding = await world.finding()
    assert finding.kind is FindingKind.SURPLUS
    assert (finding.first, finding.last) == (16, 19)


async def test_what_an_accepted_deposit_shows_has_no_transaction(world: World) -> None:
    world.hide(2 * COIN)
    await world.live(2)
    await world.audit()
    await world.accept(await world.finding())
    [body] = [body["deposit"] for body in await bodies(world.engine) if "deposit" in body]
    assert isinstance(body, dict)
    shown = {name: body[name] for name in ("tx_hash", "explorer_url", "accepted", "counts")}
    assert shown == {
        "tx_hash": None,
        "explorer_url": "https://e/block/4",
        "accepted": True,
        "counts": True,
    }
