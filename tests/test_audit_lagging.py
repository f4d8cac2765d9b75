"""Stories of the audit where one URL hides several nodes, and some are behind: as on Tron."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

import storage
from chains.base import EndpointRefused, Holding
from storage import Engine
from tests.factories import NETWORK, make_invoice, make_quote, make_transfer
from tests.fakes import FakeChain
from tests.test_audit import COIN, POL, World, summary
from tests.world import make_follower, make_policy, open_shop, the_invoice
from watcher.domain.audit import Finding, FindingKind, FindingState
from watcher.domain.blocks import BlockRef
from watcher.domain.invoices import InvoiceStatus
from watcher.domain.money import Address, Asset
from watcher.findings import accept_finding, dismiss_finding
from watcher.refused import NotOpen

PLAIN = make_policy()
RULES = PLAIN.networks[NETWORK]
RULES = replace(RULES, spec=replace(RULES.spec, dated_balances=False))
POLICY = replace(PLAIN, networks={NETWORK: RULES})


class Balanced(FakeChain):
    """It tells the newest balances only, and by nodes that may be behind who tells its head."""

    def __init__(self) -> None:
        super().__init__()
        self.behind = 0
        self.again_behind = 0
        """The same when asked a second time."""

    async def balances(
        self,
        addresses: Sequence[Address],
        assets: Sequence[Asset],
        final: BlockRef,
        number: int | None = None,
    ) -> Sequence[Holding]:
        if number is not None:
            raise EndpointRefused("newest balances only")
        found = await super().balances(addresses, assets, final)
        return [replace(each, units=self._as_of(each, self.behind)) for each in found]

    async def repeat_balances(
        self, holdings: Sequence[Holding], final: BlockRef
    ) -> Sequence[frozenset[str]]:
        names = frozenset(self.names)
        return [
            names if each.units == self._as_of(each, self.again_behind) else frozenset()
            for each in holdings
        ]

    def _as_of(self, holding: Holding, behind: int) -> int:
        return self._held(holding.address, holding.method, holding.last - behind)


class Lagging(World):
    """A shop with one invoice over 4 POL, on a network whose balances are of no known block."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.nodes = Balanced()
        self.chain, self.rules = self.nodes, RULES
        self.follower = make_follower(self.nodes, engine, POLICY)

    async def audit_behind(self, blocks: int) -> None:
        """Audit by nodes that are so many blocks behind, however often they are asked."""
        self.nodes.behind = self.nodes.again_behind = blocks
        await self.audit()
        self.nodes.behind = self.nodes.again_behind = 0

    async def accept(self, finding: Finding) -> Finding:
        async with storage.write(self.engine) as conn:
            return await accept_finding(conn, POLICY, finding.id, finding.found_at + 9)

    async def dismiss(self, finding: Finding, after: Finding) -> Finding:
        """Dismiss it, a second after the other one was found."""
        async with storage.write(self.engine) as conn:
            return await dismiss_finding(conn, finding.id, after.found_at + 1)


@pytest.fixture
async def world(engine: Engine) -> Lagging:
    await open_shop(engine, make_invoice(quotes=[make_quote(4 * COIN, POL, decimals=18)]))
    world = Lagging(engine)
    await world.live(3)
    await world.audit()
    world.chain.mine(make_transfer(2 * COIN, POL))
    await world.live(2)
    return world


async def told_twice(world: Lagging) -> tuple[Finding, Finding]:
    """A deposit is not there, as a node says that is behind, and then it is: both findings."""
    await world.audit_behind(3)
    await world.live()
    await world.audit()
    surplus, missing = await world.findings()
    assert summary(surplus) == ("surplus", 2 * COIN, None, 7, "open")
    assert summary(missing) == ("unclear", 2 * COIN, None, 6, "open")
    return surplus, missing


async def test_a_balance_that_a_second_look_does_not_show_is_no_finding(world: Lagging) -> None:
    world.nodes.behind = 3
    report = await world.audit()
    assert report.run.reason == "1 balances differ from the ledger, and no second look does"
    world.nodes.behind = 0
    report = await world.audit()
    assert (report.run.reason, await world.findings()) == (None, [])


async def test_what_a_node_that_is_behind_took_away_is_not_accepted_a_second_time(
    world: Lagging,
) -> None:
    surplus, missing = await told_twice(world)
    with pytest.raises(NotOpen, match=f"the money that {missing.id} \\(unclear\\) misses"):
        await world.accept(surplus)
    assert len(await world.deposits()) == 1
    assert (await the_invoice(world.engine)).status is InvoiceStatus.PARTIALLY_PAID


async def test_who_saw_both_and_says_that_the_first_is_gone_accepts_the_second(
    world: Lagging,
) -> None:
    surplus, missing = await told_twice(world)
    await world.dismiss(missing, surplus)
    assert (await world.accept(surplus)).state is FindingState.ACCEPTED
    assert len(await world.deposits()) == 2


async def test_a_finding_dismissed_before_the_surplus_was_there_is_dismissed_again(
    world: Lagging,
) -> None:
    await world.audit_behind(3)
    missing = await world.finding()
    async with storage.write(world.engine) as conn:
        await dismiss_finding(conn, missing.id, missing.found_at)
    await world.live()
    await world.audit()
    surplus, missing = await world.findings()
    assert missing.state is FindingState.DISMISSED
    with pytest.raises(NotOpen, match=missing.id):
        await world.accept(surplus)
    await world.dismiss(missing, surplus)
    await world.accept(surplus)
    with pytest.raises(NotOpen, match="dismissed already"):
        await world.dismiss(missing, surplus)


async def test_what_a_node_that_is_behind_gives_back_is_not_accepted(world: Lagging) -> None:
    await world.audit()
    world.hide(-2 * COIN)
    await world.live()
    await world.audit()
    outgoing = await world.finding()
    assert summary(outgoing) == ("outgoing", 2 * COIN, None, 7, "noted")
    with pytest.raises(NotOpen, match="noted already"):
        await world.dismiss(outgoing, outgoing)
    await world.live()
    await world.audit_behind(2)
    surplus, _ = await world.findings()
    assert summary(surplus) == ("surplus", 2 * COIN, None, 8, "open")
    with pytest.raises(NotOpen, match=f"the money that {outgoing.id} \\(outgoing\\) misses"):
        await world.accept(surplus)
    await world.dismiss(outgoing, surplus)
    assert (await world.accept(surplus)).state is FindingState.ACCEPTED


async def test_what_is_found_before_the_audit_saw_it_takes_the_place_of_what_was_accepted(
    world: Lagging,
) -> None:
    await world.audit()
    world.chain.unlisted = {POL}
    world.chain.mine(make_transfer(COIN, POL, tx="unseen"))
    await world.live()
    await world.audit_behind(2)
    assert await world.findings() == []
    await world.live(3)
    await world.audit()
    await world.accept(await world.finding())
    world.chain.unlisted = set()
    await world.rescan(4)
    assert sorted(each.block_number for each in await world.deposits()) == [4, 7]
    assert [each.kind for each in await world.findings()] == [FindingKind.SURPLUS]
