"""Attacks on the follower and its books: stale answers, forks, first blocks, fences."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from dataclasses import replace

import pytest

import storage
from chains.base import ChainUnavailable
from storage.leases import LeaseLost
from tests.factories import NETWORK, make_invoice, make_quote, make_ref, make_transfer
from tests.fakes import FakeChain
from tests.world import catch_up, make_follower, make_policy, open_shop, the_invoice, told
from watcher import finality, ledger
from watcher import follower as module
from watcher.domain.blocks import Block
from watcher.domain.invoices import InvoiceStatus
from watcher.fetching import FetchAhead
from watcher.follower import Follower
from watcher.policy import Policy


@pytest.fixture(autouse=True)
def _ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)


class Stuttering(FakeChain):
    """Refuses each of these blocks once."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[int] = set()

    async def block(self, number):
        if number in self.refused:
            self.refused = self.refused - {number}
            raise ChainUnavailable("too many requests")
        return await super().block(number)


async def fetched_across_a_reorg(engine, final: int | None) -> tuple[Stuttering, Follower]:
    """Blocks 2… were fetched ahead, then all of them were replaced; block 1 comes only now."""
    chain = Stuttering()
    chain.mine()
    follower = make_follower(chain, engine)
    chain.reorg(depth=1)
    await catch_up(follower)  # the first block is ours
    for _ in range(5):
        chain.mine()
    follower = make_follower(chain, engine)
    chain.refused = {1}
    with pytest.raises(ChainUnavailable):
        await follower.turn()  # 2… are on their way meanwhile
    await asyncio.sleep(0)
    chain.reorg(depth=5)
    chain.mine(make_transfer(100))
    for _ in range(5):
        chain.mine()
    chain.final = final
    return chain, follower


async def test_a_block_fetched_before_a_reorg_does_not_orphan_what_is_in_the_chain(engine):
    await open_shop(engine)
    chain, follower = await fetched_across_a_reorg(engine, None)
    await catch_up(follower)
    async with storage.read(engine) as conn:
        assert await storage.blocks.tip(conn, NETWORK) == chain.tip
    assert "deposit.orphaned" not in await told(engine)


async def test_a_block_fetched_before_a_reorg_does_not_halt_a_network_behind_finality(engine):
    await open_shop(engine)
    chain, follower = await fetched_across_a_reorg(engine, 6)
    await catch_up(follower)
    async with storage.read(engine) as conn:
        assert await storage.blocks.tip(conn, NETWORK) == chain.tip


async def test_one_failed_moment_is_not_raised_again_for_each_block_fetched_ahead():
    down = True

    async def fetch(number: int) -> Block:
        await asyncio.sleep(0)
        if down:
            raise ChainUnavailable("too many requests", retry_after=60)
        return Block(make_ref(number))

    ahead = FetchAhead(fetch)
    with pytest.raises(ChainUnavailable):
        await ahead.take(1, 20)
    await asyncio.sleep(0.01)  # those that were on their way fail, too
    down = False
    failures = 0
    for number in range(1, 21):
        while True:
            try:
                assert await ahead.take(number, 20)
                break
            except ChainUnavailable:
                failures += 1
    await ahead.clear()
    assert failures == 0  # each would cost a pause of 60 s, the outage being over


async def test_a_block_that_was_not_there_when_fetched_ahead_is_asked_for_again():
    """A backend that lags says null for blocks which the next one has."""
    there = False

    async def fetch(number: int) -> Block | None:
        await asyncio.sleep(0)
        return Block(make_ref(number)) if there else None

    ahead = FetchAhead(fetch)
    assert await ahead.take(1, 8) is None
    await asyncio.sleep(0.01)
    there = True
    found = [await ahead.take(number, 8) for number in range(1, 9)]
    await ahead.clear()
    assert None not in found  # each costs a poll, though the block is there


async def test_finality_is_not_given_to_a_tail_that_left_the_chain(engine):
    """Finality is a number; on our stale fork it names another block than the node's."""
    quote = make_quote(required="finalized")
    await open_shop(engine, make_invoice(quotes=[quote]))
    chain = FakeChain()
    follower = make_follower(chain, engine)
    chain.mine(make_transfer(100))
    for _ in range(5):
        chain.mine()
    await catch_up(follower)  # tip 6, the payment in 1 waits for finality

    chain.reorg(depth=3)
    for _ in range(20):
        chain.mine()
    chain.final = 20
    await catch_up(make_follower(chain, engine))  # an ordinary reorg of 3 blocks
    async with storage.read(engine) as conn:
        assert await storage.blocks.tip(conn, NETWORK) == chain.tip


async def test_a_fork_served_after_failover_does_not_become_final(engine):
    """Endpoint a says that 20 is final, then b, on a fork of its own, gives the next blocks."""
    await open_shop(engine)
    chain = FakeChain()
    for _ in range(10):
        chain.mine()
    chain.lag = 5
    chain.final = 20  # as a says, whose blocks up to here we have
    follower = make_follower(chain, engine)
    await catch_up(follower)
    true = chain.reorg(depth=3)
    for _ in range(3):
        chain.mine()
    chain.lag = 0
    await catch_up(follower)  # b's three blocks
    chain.reorg(depth=3, onto=true)
    for _ in range(12):
        chain.mine()
    await catch_up(follower)
    async with storage.read(engine) as conn:
        assert await storage.blocks.tip(conn, NETWORK) == chain.tip


async def test_one_impossible_finality_neither_halts_nor_freezes_the_network(engine):
    """No block above a node's own head is final: a slip of one endpoint, told once."""
    await open_shop(engine)
    chain = FakeChain()
    for _ in range(5):
        chain.mine()
    follower = make_follower(chain, engine)
    await catch_up(follower)
    chain.final = 10**9
    chain.mine()
    await catch_up(follower)
    chain.final = 2
    chain.reorg(depth=1)
    chain.mine(make_transfer(100))
    for _ in range(4):
        chain.mine()
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID


async def test_an_invoice_expires_when_the_first_block_of_a_network_is_past_its_deadline(engine):
    """Nodes that could not be reached at the first start, longer than the invoice was open."""
    await open_shop(engine)
    chain = FakeChain()
    chain.mine(seconds=5000)
    policy = make_policy()
    late = replace(policy.networks[NETWORK], start_block=1)
    follower = make_follower(chain, engine, replace(policy, networks={NETWORK: late}))
    await catch_up(follower)
    for _ in range(3):
        chain.mine(seconds=10)
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.EXPIRED


async def test_a_deposit_of_a_deeper_rule_is_asked_for_again_at_its_own_depth(engine):
    """Two invoices are paid in one block: the shallow rule must not vouch for the deep one."""
    other = "0x" + "a2" * 20
    shallow = make_invoice(quotes=[make_quote(required=1)])
    deep = make_invoice(key="2", quotes=[make_quote(required=6)], addresses={"evm": other})
    await open_shop(engine, shallow, deep)
    chain = FakeChain(["own", "backup"])
    follower = make_follower(chain, engine, make_policy(agreement=2))
    chain.mine(make_transfer(100), make_transfer(100, to=other, position="log/1"))
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID

    chain.names = ["own"]  # backup has left this block behind: it does not repeat it any more
    for _ in range(8):
        chain.mine()
    await catch_up(follower)
    assert (await the_invoice(engine, "2")).status is InvoiceStatus.CONFIRMING


async def test_a_start_block_that_the_node_has_not_reached_yet_is_waited_for(engine):
    await open_shop(engine)
    chain = FakeChain()
    policy = make_policy()
    ahead = replace(policy.networks[NETWORK], start_block=3)
    follower = make_follower(chain, engine, replace(policy, networks={NETWORK: ahead}))
    with suppress(ChainUnavailable):
        await follower.turn()  # a node that still syncs: no reason to halt
    for _ in range(5):
        chain.mine()
    await catch_up(follower)
    async with storage.read(engine) as conn:
        assert await storage.blocks.tip(conn, NETWORK) == chain.tip


async def paused_and_overtaken(chain, engine, policy: Policy) -> Follower:
    """A follower that lost its lease while it slept, and knows nothing of it."""
    await open_shop(engine)
    first = make_follower(chain, engine, policy)
    await catch_up(first)
    lease = first._lease
    await first.stop()
    second = Follower(policy, NETWORK, chain, engine, "test:2")
    for _ in range(3):
        chain.mine()
    chain.final = chain.tip.number
    await catch_up(second)
    first._lease = lease
    return first


async def test_a_fenced_follower_that_connects_learns_of_its_lost_lease(engine):
    chain = FakeChain()
    first = await paused_and_overtaken(chain, engine, make_policy())
    [_, block, *_] = chain.all_blocks()
    with pytest.raises(LeaseLost):
        await first._connect(first._lease, [block])


async def test_a_fenced_follower_that_disconnects_does_not_halt(engine):
    chain = FakeChain()
    first = await paused_and_overtaken(chain, engine, make_policy())
    async with storage.write(engine) as conn:
        with pytest.raises(LeaseLost):
            await ledger.disconnect_block(conn, make_policy(), first._lease, None, 0)


async def test_a_locked_database_does_not_end_the_heartbeat(sqlite_url, monkeypatch):
    """Whatever ends it ends the daemon: it is a task of the group."""
    pragmas = ("busy_timeout=50", *storage._PRAGMAS[1:])
    monkeypatch.setattr(storage, "_PRAGMAS", pragmas)
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.01)
    engine = storage.open_engine(sqlite_url)
    try:
        await open_shop(engine)
        follower = make_follower(FakeChain(), engine)
        await catch_up(follower)
        other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # a long backup or a migration of another process
        beat = asyncio.create_task(follower.heartbeat())
        done, _ = await asyncio.wait([beat], timeout=1)
        other.close()
        beat.cancel()
        await asyncio.wait([beat])  # else its connection is left to the garbage collector
        assert not done
    finally:
        await storage.close(engine)


async def test_after_a_reorg_blocks_are_fetched_ahead_again(engine):
    """Down for a night on a fork of one block: the rest must not be fetched one by one."""
    await open_shop(engine)
    chain = FakeChain()
    chain.mine()
    await catch_up(make_follower(chain, engine))
    chain.reorg(depth=1)
    for _ in range(200):
        chain.mine()
    follower = make_follower(chain, engine)
    assert await follower.turn()  # takes the stale block off
    chain.blocks_asked.clear()
    await follower.turn()
    await asyncio.sleep(0)
    asked = list(chain.blocks_asked)
    await follower.stop()
    assert len(asked) > 1
