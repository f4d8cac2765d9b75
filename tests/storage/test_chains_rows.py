"""Blocks, leases, cursors, corroborations, health: what followers write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from storage import (
    Conn,
    Engine,
    blocks,
    corroborations,
    cursors,
    health,
    instance,
    leases,
    write,
)
from storage.instance import WrongInstance
from storage.leases import Lease, LeaseLost
from tests.factories import NETWORK, make_hash, make_ref
from watcher.domain.blocks import BlockRef
from watcher.domain.money import Network

OTHER = Network("tron")


@pytest.fixture
async def conn(engine: Engine) -> AsyncIterator[Conn]:
    async with write(engine) as opened:
        yield opened


async def acquired(conn: Conn, holder: str = "a", seconds: int = 60) -> Lease:
    lease = await leases.acquire(conn, NETWORK, holder, seconds)
    assert lease is not None
    return lease


async def test_blocks_are_pushed_and_popped_at_the_tip(conn: Conn) -> None:
    assert await blocks.tip(conn, NETWORK) is None
    assert await blocks.push(conn, NETWORK, [make_ref(5)], keep=10) is None
    assert await blocks.push(conn, NETWORK, [make_ref(6)], keep=10) == make_ref(5)
    assert await blocks.tip(conn, NETWORK) == make_ref(6)
    assert await blocks.at(conn, NETWORK, 5) == make_ref(5)
    assert await blocks.at(conn, NETWORK, 7) is None
    assert await blocks.tip(conn, OTHER) is None
    assert await blocks.pop(conn, NETWORK) == (make_ref(6), make_ref(5))
    assert await blocks.pop(conn, NETWORK) == (make_ref(5), None)
    with pytest.raises(LookupError):
        await blocks.pop(conn, NETWORK)


@pytest.mark.parametrize("ref", [make_ref(5), make_ref(7), make_ref(6, "b")])
async def test_a_block_that_does_not_build_on_the_tip_is_refused(conn: Conn, ref: BlockRef) -> None:
    await blocks.push(conn, NETWORK, [make_ref(5)], keep=10)
    with pytest.raises(ValueError, match="does not build on our tip"):
        await blocks.push(conn, NETWORK, [ref], keep=10)
    assert await blocks.tip(conn, NETWORK) == make_ref(5)


async def test_several_blocks_are_pushed_as_one_after_the_other_would_be(conn: Conn) -> None:
    await blocks.push(conn, NETWORK, [make_ref(1)], keep=3)
    refs = [make_ref(number) for number in range(2, 8)]
    assert await blocks.push(conn, NETWORK, refs, keep=3) == make_ref(1)
    held = [number for number in range(9) if await blocks.at(conn, NETWORK, number)]
    assert held == [5, 6, 7]
    with pytest.raises(ValueError, match="does not build on our tip"):
        await blocks.push(conn, NETWORK, [make_ref(8), make_ref(9, "b")], keep=3)
    assert await blocks.tip(conn, NETWORK) == make_ref(7)


async def test_the_newest_blocks_are_kept(conn: Conn) -> None:
    await blocks.push(conn, OTHER, [make_ref(1)], keep=3)
    for number in range(1, 8):
        await blocks.push(conn, NETWORK, [make_ref(number)], keep=3)
    held = [number for number in range(9) if await blocks.at(conn, NETWORK, number)]
    assert held == [5, 6, 7]
    assert await blocks.at(conn, OTHER, 1) is not None


async def test_a_lease_has_one_holder_until_it_expires(conn: Conn) -> None:
    first = await acquired(conn, "a")
    assert await leases.holder(conn, NETWORK) == "a"
    assert await leases.acquire(conn, NETWORK, "b", 60) is None
    assert await leases.acquire(conn, OTHER, "b", 60) == Lease(OTHER, "b", 1)
    await leases.renew(conn, first, 0)
    assert await leases.holder(conn, NETWORK) is None
    assert await acquired(conn, "b") == Lease(NETWORK, "b", first.epoch + 1)
    with pytest.raises(LeaseLost):
        await leases.renew(conn, first, 60)
    assert await leases.holder(conn, NETWORK) == "b"


async def test_a_renewed_lease_holds(conn: Conn) -> None:
    lease = await acquired(conn, "a", seconds=0)
    await leases.renew(conn, lease, 60)
    assert await leases.acquire(conn, NETWORK, "b", 60) is None


async def test_a_restarted_holder_fences_its_former_self(conn: Conn) -> None:
    former = await acquired(conn, "a")
    again = await acquired(conn, "a")
    await cursors.move(conn, again, make_ref(2), None)
    with pytest.raises(LeaseLost):
        await cursors.move(conn, former, make_ref(9), None)
    assert await cursors.tips(conn) == {NETWORK: make_ref(2)}


async def test_a_released_lease_is_free_and_writes_no_more(conn: Conn) -> None:
    lease = await acquired(conn, "a")
    await leases.release(conn, lease)
    with pytest.raises(LeaseLost):
        await cursors.move(conn, lease, make_ref(), None)
    taken = await acquired(conn, "b")
    await leases.release(conn, lease)
    assert await leases.holder(conn, NETWORK) == "b"
    assert taken.epoch > lease.epoch


async def test_of_many_who_ask_at_once_one_gets_the_lease(engine: Engine) -> None:
    async def ask(holder: str) -> Lease | None:
        async with write(engine) as conn:
            return await leases.acquire(conn, NETWORK, holder, 60)

    answers = await asyncio.gather(*(ask(f"p{number}") for number in range(4)))
    assert sum(lease is not None for lease in answers) == 1


async def test_the_cursor_moves_both_ways_and_finality_only_up(conn: Conn) -> None:
    assert await cursors.get(conn, NETWORK) is None
    lease = await acquired(conn)
    assert await cursors.get(conn, NETWORK) == cursors.Cursor(None, None, None)
    assert await cursors.tips(conn) == {}
    seen = []
    for number, finalized in [(5, None), (6, 3), (5, 2), (6, None), (7, 4)]:
        await cursors.move(conn, lease, make_ref(number), finalized)
        cursor = await cursors.get(conn, NETWORK)
        assert cursor is not None
        assert cursor.tip == make_ref(number)
        seen.append(cursor.finalized)
    assert seen == [None, 3, 3, 3, 4]


async def test_a_network_is_bound_to_its_first_genesis(conn: Conn) -> None:
    lease = await acquired(conn)
    assert await cursors.bind(conn, lease, make_hash("a")) == make_hash("a")
    assert await cursors.bind(conn, lease, make_hash("b")) == make_hash("a")
    with pytest.raises(LeaseLost):
        await cursors.bind(conn, Lease(NETWORK, "a", lease.epoch - 1), make_hash("a"))


async def test_who_corroborated_a_block_is_kept_once(conn: Conn) -> None:
    await corroborations.add(conn, NETWORK, make_hash("1"), ["own", "backup"], 5)
    await corroborations.add(conn, NETWORK, make_hash("1"), ["own", "third"], 6)
    await corroborations.add(conn, NETWORK, make_hash("2"), [], 6)
    found = await corroborations.endpoints(conn, NETWORK, make_hash("1"))
    assert found == {"own", "backup", "third"}
    assert await corroborations.endpoints(conn, NETWORK, make_hash("2")) == set()
    assert await corroborations.endpoints(conn, OTHER, make_hash("1")) == set()


async def test_the_newest_health_report_replaces_the_one_before(conn: Conn) -> None:
    await health.publish(conn, NETWORK, {"state": "starting", "reorgs": [1]}, 5)
    await health.publish(conn, OTHER, {"state": "halted"}, 6)
    await health.publish(conn, NETWORK, {"state": "following"}, 7)
    assert await health.reports(conn) == {
        NETWORK: (7, {"state": "following"}),
        OTHER: (6, {"state": "halted"}),
    }


async def test_a_database_belongs_to_one_mode(conn: Conn) -> None:
    await instance.claim(conn, "test", 5)
    await instance.claim(conn, "test", 6)
    with pytest.raises(WrongInstance, match="belongs to a test instance"):
        await instance.claim(conn, "live", 7)
