"""Fetching ahead: how far, how many at once, and when it stops."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from chains.base import ChainUnavailable
from tests.factories import make_ref
from watcher.domain.blocks import Block
from watcher.fetching import AHEAD_BLOCKS, AHEAD_BYTES, IN_FLIGHT, FetchAhead


@dataclass
class Source:
    """Blocks 1 to `head`; answers in the loop's next round."""

    head: int = 1000
    fails: int | None = None
    """The block that no endpoint has now."""
    size: int = 1
    asked: list[int] = field(default_factory=list)
    on_the_way: int = 0
    most: int = 0
    """Of how many answers were waited for at once."""

    async def fetch(self, number: int) -> Block | None:
        self.asked.append(number)
        self.on_the_way += 1
        self.most = max(self.most, self.on_the_way)
        await asyncio.sleep(0)
        self.on_the_way -= 1
        if number == self.fails:
            raise ChainUnavailable("too many requests")
        return Block(make_ref(number), (), self.size) if number <= self.head else None


async def rest() -> None:
    """Let all answers arrive, as while a transaction takes its time."""
    for _ in range(200):
        await asyncio.sleep(0)


async def test_blocks_are_fetched_further_while_those_before_are_stored() -> None:
    source = Source()
    ahead = FetchAhead(source.fetch)
    await ahead.take(1, 40)
    await rest()
    assert source.asked == list(range(1, 41))
    blocks = ahead.ready(2, 100)
    assert [block.ref.number for block in blocks] == list(range(2, 41))
    await rest()
    assert len(source.asked) == 40


async def test_no_more_blocks_are_held_than_allowed_and_each_handed_out_makes_room() -> None:
    source = Source()
    ahead = FetchAhead(source.fetch)
    await ahead.take(1, 1000)
    await rest()
    assert max(source.asked) == 1 + AHEAD_BLOCKS
    assert len(ahead.ready(2, 10)) == 10
    await rest()
    assert max(source.asked) == 11 + AHEAD_BLOCKS
    await ahead.clear()


async def test_no_more_are_on_the_way_than_allowed() -> None:
    source = Source()
    ahead = FetchAhead(source.fetch)
    await ahead.take(1, 1000)
    await rest()
    assert source.most == IN_FLIGHT
    await ahead.clear()


async def test_heavy_blocks_are_not_heaped_up() -> None:
    source = Source(size=AHEAD_BYTES // 2)
    ahead = FetchAhead(source.fetch)
    await ahead.take(1, 1000)
    await rest()
    assert max(source.asked) < 2 * IN_FLIGHT  # those that were on their way already


async def test_an_outage_is_not_asked_into_until_somebody_waits_again() -> None:
    source = Source(fails=5)
    ahead = FetchAhead(source.fetch)
    for number in range(1, 5):
        await ahead.take(number, 1000)
        await rest()
    assert max(source.asked) < 5 + IN_FLIGHT
    with pytest.raises(ChainUnavailable):
        await ahead.take(5, 1000)
    assert source.on_the_way == 0


async def test_beyond_what_there_is_nothing_is_asked_again_and_again() -> None:
    source = Source(head=10)
    ahead = FetchAhead(source.fetch)
    await ahead.take(1, 1000)
    await rest()
    assert len(ahead.ready(2, 100)) == 9
    await rest()
    assert len(source.asked) == len(set(source.asked))
    assert max(source.asked) <= 10 + IN_FLIGHT
    await ahead.clear()


async def test_what_is_forgotten_fetches_nothing_more() -> None:
    source = Source()
    ahead = FetchAhead(source.fetch)
    await ahead.take(1, 1000)
    await ahead.clear()
    asked = len(source.asked)
    await rest()
    assert len(source.asked) == asked
    assert ahead.ready(2, 10) == []
