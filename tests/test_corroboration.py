"""When endpoints are asked again for a deposit: at once, then after pauses that grow."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from chains.base import EndpointReport, EndpointState
from storage import Engine
from tests.factories import NETWORK, make_invoice, make_quote, make_transfer
from tests.fakes import FakeChain
from tests.world import catch_up, make_follower, make_policy, open_shop
from watcher import corroboration
from watcher.corroboration import Corroboration, Given

OTHER = "0x" + "a2" * 20


class World:
    """A chain that one endpoint of the required two tells of, and a clock set by hand."""

    def __init__(self, engine: Engine) -> None:
        policy = make_policy(agreement=2)
        self.chain, self.now = FakeChain(["own"]), 0.0
        self.follower = make_follower(self.chain, engine, policy)
        self.corroboration = Corroboration(engine, self.chain, policy.networks[NETWORK])

    async def mine(self, *payments, blocks: int = 3) -> None:
        """A block with `payments`, and others on top; followed."""
        self.chain.mine(*payments)
        for _ in range(blocks - 1):
            self.chain.mine()
        await catch_up(self.follower)
        self.chain.corroborated.clear()

    async def ask(self) -> Given:
        return await self.corroboration.ask(self.chain.tip, None)

    async def asked_at(self, seconds: int, step: int = 1) -> list[int]:
        """The seconds at which endpoints are asked, from now on, at most every `step`."""
        times = []
        for second in range(0, seconds, step):
            self.now, before = float(second), len(self.chain.corroborated)
            await self.ask()
            times += [second] * (len(self.chain.corroborated) - before)
        return times


@pytest.fixture
async def world(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    deeper = make_invoice(key="2", quotes=[make_quote(required=4)], addresses={"evm": OTHER})
    await open_shop(engine, make_invoice(), deeper)
    world = World(engine)
    monkeypatch.setattr(corroboration, "time", SimpleNamespace(monotonic=lambda: world.now))
    return world


async def test_pauses_double(world):
    await world.mine(make_transfer(100))
    assert await world.asked_at(160) == [0, 5, 15, 35, 75, 155]


async def test_pauses_grow_up_to_an_hour(world):
    await world.mine(make_transfer(100))
    *_, first, second, last = await world.asked_at(20_000, step=60)
    assert (second - first, last - second) == (3600, 3600)


def report(name: str, state: EndpointState) -> EndpointReport:
    return EndpointReport(name, state, None, None, None, 0, None, 0, 0, None)


@pytest.mark.parametrize(
    ("away", "back"),
    [
        ("waiting", "healthy"),
        ("refused", "slow"),
        ("waiting", "lagging"),  # what is deep enough it has all the same
        ("waiting", "quarantined"),
        ("lagging", "healthy"),
        ("forked", "healthy"),
    ],
)
async def test_what_waits_is_asked_again_when_an_endpoint_comes_back(world, away, back):
    await world.mine(make_transfer(100))
    own = report("own", "healthy")
    world.chain.reports = [own, report("backup", away)]
    await world.asked_at(2000, step=60)
    world.chain.corroborated.clear()
    await world.ask()
    assert world.chain.corroborated == []
    world.chain.names.append("backup")
    world.chain.reports = [own, report("backup", back)]
    assert len(await world.ask()) == 1


async def test_who_comes_and_goes_has_it_asked_again_once_a_minute_at_most(world):
    await world.mine(make_transfer(100))
    times = []
    for second in range(600):
        world.now = float(second)
        world.chain.reports = [report("own", "waiting" if second % 2 else "healthy")]
        before = len(world.chain.corroborated)
        await world.ask()
        times += [second] * (len(world.chain.corroborated) - before)
    assert times[-3:] == [435, 495, 555]


async def test_what_waits_for_long_is_overdue_until_it_is_repeated(world):
    await world.mine(make_transfer(100))
    await world.mine(make_transfer(50, tx="2"))
    assert await world.asked_at(300, step=299) == [0, 0, 299, 299]
    assert world.corroboration.overdue is None
    world.now = 300
    await world.ask()
    said = "deposits in block 1 and 1 more have waited for agreement for 300 s"
    assert world.corroboration.overdue == said
    world.chain.names.append("backup")
    world.now = 4000
    assert len(await world.ask()) == 2
    assert world.corroboration.overdue is None


async def test_what_waits_is_told_during_the_pause_too(world):
    await world.mine(make_transfer(100))
    told = "block 1 waits for agreement: 1 of 2 endpoints repeat it"
    for _ in range(2):
        await world.ask()
        assert world.corroboration.waiting == [told]


async def test_what_is_repeated_after_a_pause_is_given_and_waits_no_more(world):
    await world.mine(make_transfer(100))
    assert not await world.ask()
    world.chain.names.append("backup")
    assert not await world.ask()
    world.now = 5
    assert list((await world.ask()).values()) == [{"own", "backup"}]
    assert world.corroboration.waiting == []


async def test_a_new_deposit_is_asked_for_at_once_while_another_waits(world):
    await world.mine(make_transfer(100))
    await world.ask()
    await world.mine(make_transfer(50, tx="2"))
    await world.ask()
    assert len(world.chain.corroborated) == 1


async def test_a_deposit_that_gets_deep_is_asked_for_at_once_beside_one_of_its_block(world):
    await world.mine(make_transfer(100), make_transfer(100, to=OTHER, position="log/1"))
    assert not await world.ask()
    await world.mine(blocks=1)
    world.chain.names.append("backup")
    assert [each.address for each in await world.ask()] == [make_transfer(1).to, OTHER]


async def test_a_deposit_that_left_the_chain_and_came_back_is_asked_for_at_once(world):
    await world.mine(make_transfer(100))
    await world.ask()
    left = world.chain.reorg(depth=3)
    await world.mine(blocks=4)
    assert not await world.ask()
    assert world.corroboration.waiting == []
    world.chain.reorg(depth=4, onto=left)
    await world.mine(blocks=2)
    await world.ask()
    assert len(world.chain.corroborated) == 1


async def test_what_only_traces_tell_must_be_repeated_where_blocks_commit_to_all_else(world):
    sent = make_transfer(100, to=OTHER, position="trace/0", tx="2")
    await world.mine(make_transfer(100), sent, blocks=4)
    world.chain.names.append("backup")
    world.chain.silent = {"backup": {"trace/0", "log/0"}}
    assert [each.position for each in await world.ask()] == ["log/0"]
    assert world.corroboration.waiting == [
        "block 1 waits for agreement: 1 of 2 endpoints repeat it"
    ]
