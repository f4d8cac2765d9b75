"""What is final, by what endpoints say: how far it rises, when it freezes, when it is unknown."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from tests.factories import NETWORK, make_ref
from tests.fakes import FakeChain
from watcher import finality
from watcher.domain.blocks import Hash
from watcher.finality import ASK_SECONDS, UNKNOWN_SECONDS, Finality


class World:
    """A chain that is all ours, a clock that is set by hand, and what is final there."""

    def __init__(self, blocks: int, depth: int | None = None) -> None:
        self.chain, self.now = FakeChain(), 0.0
        self.finality = Finality(NETWORK, depth)
        for _ in range(blocks):
            self.chain.mine()

    async def hear(self, final: int | None) -> tuple[int | None, str | None]:
        """What is final and what freezes, after the endpoints said that `final` is."""
        self.chain.final = final
        self.now += ASK_SECONDS
        await self.finality.ask(self.chain)
        await self.finality.judge(self.chain.tip, self._hash_at)
        return self.finality.number, self.finality.frozen

    async def _hash_at(self, number: int) -> Hash | None:
        return self.chain.all_blocks()[number].ref.hash


@pytest.fixture
def make_world(monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    def make(blocks: int, depth: int | None = None) -> World:
        world = World(blocks, depth)
        monkeypatch.setattr(finality, "time", SimpleNamespace(monotonic=lambda: world.now))
        return world

    return make


@pytest.mark.parametrize(
    ("blocks", "said", "final"),
    [
        pytest.param(50, 48, 30, id="the endpoints are ahead of the depth"),
        pytest.param(50, 20, 20, id="the depth is ahead of the endpoints"),
        pytest.param(50, 30, 30, id="both agree"),
        pytest.param(20, 18, 0, id="block 0"),
        pytest.param(19, 18, None, id="a chain shorter than the depth"),
    ],
)
async def test_nothing_is_final_closer_to_our_tip_than_the_depth(make_world, blocks, said, final):
    assert await make_world(blocks, depth=20).hear(said) == (final, None)


async def test_without_such_a_rule_what_is_said_is_final(make_world):
    assert await make_world(50).hear(48) == (48, None)


async def test_what_is_said_of_blocks_that_are_not_ours_yet_changes_nothing(make_world):
    assert await make_world(50, depth=20).hear(51) == (None, None)


async def test_what_endpoints_take_back_freezes_also_above_what_the_depth_let_through(make_world):
    world = make_world(50, depth=20)
    assert await world.hear(48) == (30, None)
    assert await world.hear(40) == (30, "finality went back from block 48 to 40")
    assert await world.hear(48) == (30, None)


async def test_a_tip_that_steps_back_freezes_nothing_and_takes_nothing_back(make_world):
    world = make_world(50, depth=20)
    await world.hear(45)
    world.chain.reorg(depth=3)
    assert await world.hear(45) == (30, None)


async def test_a_final_block_that_is_not_ours_freezes(make_world):
    world = make_world(50, depth=20)
    world.chain.final = 40
    await world.finality.ask(world.chain)

    async def other(number: int) -> Hash:
        return make_ref(number, "other").hash

    await world.finality.judge(world.chain.tip, other)
    assert world.finality.frozen == "the final block 40 is not the one that we hold"
    assert world.finality.number is None


async def test_silence_freezes_at_once_where_finality_was_known_before_a_restart(make_world):
    world = make_world(50)
    world.finality.remember(10)
    assert await world.hear(None) == (10, "no endpoint says which block is final")
    assert world.finality.unknown is None


async def test_finality_that_nobody_ever_tells_of_is_said_once_it_lasts(make_world):
    world = make_world(50)
    assert await world.hear(None) == (None, None)
    world.now += UNKNOWN_SECONDS - 1
    assert world.finality.unknown is None
    world.now += 1
    assert world.finality.unknown is not None
    assert world.finality.unknown.startswith("finality was never known")


async def test_finality_that_is_told_in_time_was_never_unknown(make_world):
    world = make_world(50)
    await world.hear(None)
    await world.hear(10)
    world.now += 10 * UNKNOWN_SECONDS
    assert world.finality.unknown is None


async def test_endpoints_are_asked_every_twenty_seconds_at_most(make_world):
    world = make_world(50)
    await world.hear(10)
    world.chain.final = 20
    world.now += ASK_SECONDS - 1
    await world.finality.ask(world.chain)
    await world.finality.judge(world.chain.tip, world._hash_at)
    assert world.finality.number == 10
