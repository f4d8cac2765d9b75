"""One network's loop: ask for the next block, plan, apply, wait, back off."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace

import structlog

import storage
from chains.base import ChainClient
from storage import Conn, Engine
from storage.leases import Lease, LeaseLost
from watcher import clock, ledger
from watcher.beginning import Halted, first_block, require_genesis
from watcher.corroboration import Corroboration
from watcher.domain.blocks import Block, BlockRef, Connect, Disconnect, Hash, plan_step
from watcher.domain.money import Network
from watcher.fetching import FetchAhead
from watcher.finality import Finality
from watcher.health import Health
from watcher.metrics import Meter, Metrics
from watcher.policy import Policy

LEASE_SECONDS = 30
HEARTBEAT_SECONDS = 5
CHUNK_SECONDS, CHUNK_BLOCKS = 0.1, 64
LONGEST_PAUSE = 60
BEYOND_BLOCKS = 2

log = structlog.get_logger()


class Follower:
    """Keeps our copy of one network's chain, and the books that go with it, up to date.

    Holds what may be lost at any moment: what it knows comes from the database and the nodes.
    """

    def __init__(
        self,
        policy: Policy,
        network: Network,
        client: ChainClient,
        engine: Engine,
        holder: str,
        meter: Meter | None = None,
    ) -> None:
        self.health = Health()
        self._policy, self._network = policy, network
        self._rules = policy.networks[network]
        self._client, self._engine, self._holder = client, engine, holder
        self._meter = meter or Metrics().of(network)
        self._ahead = FetchAhead(client.block)
        self._lease: Lease | None = None
        self._tip: BlockRef | None = None
        self._head: BlockRef | None = None
        self._finality = Finality(network, self._rules.finality_depth)
        self._corroboration = Corroboration(engine, client, self._rules)
        self._chunk = 1
        self._beyond = 0  # blocks in a row above the head that we know

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until `stop`, then end between two steps; waits out what nodes or database do."""
        while not stop.is_set():
            pause = await self._guarded_turn()
            if pause is None:
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(pause, LONGEST_PAUSE))
        await self._ahead.clear()

    async def turn(self) -> bool:
        """One round: hold the lease, look at finality, step, confirm; False when nothing moved.

        Raises:
            ChainError: no proven answer now.
            LeaseLost: another process follows this network.
            Halted: the chain moved deeper than we may follow.
        """
        lease = self._lease or await self._take_over()
        if lease is None:
            return False
        await self._finality.ask(self._client)
        moved = await self._step(lease)
        await self._corroborate(lease)
        return moved

    async def _guarded_turn(self) -> float | None:
        """Seconds to wait after one turn, whatever came of it; None when halted."""
        try:
            moved = await self.turn()
            self.health.recovered(self._network)
            # At the head nothing is there yet: to ask at once would cost two calls a block more.
            at_head = self._beyond > 0 or self._tip == self._head
            return 0.0 if moved and not at_head else float(self._rules.poll_seconds)
        except Halted as error:
            self.health.halt(str(error))
            return None
        except LeaseLost:
            log.warning("another process follows this network now", network=self._network)
            await self._let_go()
            return 0.0
        except Exception as error:  # of others, or a bug of ours: seen, retried, never skipped
            failure = error
        self._tip = None  # a commit whose answer was lost may have moved it
        return self.health.failed(self._network, failure)

    async def heartbeat(self) -> None:
        """Keep the lease and publish our health, also while a node lets us wait."""
        while True:
            try:
                await self._beat()
            except LeaseLost:
                self._lease = None  # the next turn finds out that it must begin anew
            except storage.StorageUnavailable as error:
                log.debug("no heartbeat", network=self._network, error=str(error))
            except Exception:  # a bug of ours in the report must not end the daemon
                log.exception("a heartbeat failed", network=self._network)
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _step(self, lease: Lease) -> bool:
        """Make the next move of our copy of the chain; False when there was nothing to do."""
        tip = await self._our_tip(lease)
        upto = self._head.number if self._head else tip.number
        following = await self._ahead.take(tip.number + 1, upto)
        if following is not None and following.ref.parent_hash != tip.hash:
            # It may have been fetched before a reorg that our tip has followed already.
            await self._ahead.clear()
            following = await self._client.block(tip.number + 1)
        if following is None:
            self._beyond = 0
            self._head = await self._client.head()
            self.health.head = self._head.number
            ours = await self._hash_at(self._head.number)
            rival = await self._proven(self._head, ours)
            move = plan_step(tip, rival, None, ours)
        else:
            rival = replace(tip, hash=following.ref.parent_hash)
            move = plan_step(tip, following.ref, following, None)
        match move:
            case Connect(block):
                await self._look_further(block)
                await self._connect(lease, self._chain_of(block))
            case Disconnect(_):
                await self._corroboration.require_gone(tip, rival)
                await self._disconnect(lease)
            case _:
                # A head above us without its next block: asked again, the client knows better.
                return False
        return True

    async def _proven(self, head: BlockRef, ours: Hash | None) -> BlockRef:
        """`head`, or where it is not ours the proven block there: a bare word takes none away."""
        if ours is None or ours == head.hash:
            return head
        block = await self._client.block(head.number)
        return block.ref if block else replace(head, hash=ours)

    async def _look_further(self, block: Block) -> None:
        """Learn the head again where block after block lies above the one we know.

        At the head one block in a row is new; more say that we slept, and then it pays to know how
        far to fetch ahead.
        """
        known = self._head.number if self._head else 0
        self._beyond = self._beyond + 1 if block.ref.number > known else 0
        if self._beyond > BEYOND_BLOCKS:
            self._head, self._beyond = await self._client.head(), 0
            self.health.head = self._head.number

    async def _take_over(self) -> Lease | None:
        """Become this network's only follower; None while another process is."""
        async with storage.write(self._engine) as conn:
            lease = await storage.leases.acquire(conn, self._network, self._holder, LEASE_SECONDS)
        self.health.standing_by = lease is None
        if lease is None:
            return None
        self._lease, self._tip, self._head = lease, None, None
        log.info("following", network=self._network, epoch=lease.epoch)
        return lease

    async def _let_go(self) -> None:
        self._lease = None
        await self._ahead.clear()

    async def _our_tip(self, lease: Lease) -> BlockRef:
        """Our newest block; at the first start of a network its first one is connected."""
        if self._tip is None:
            await require_genesis(self._client, self._engine, lease)
            async with storage.read(self._engine) as conn:
                cursor = await storage.cursors.get(conn, self._network)
            self._finality.remember(cursor.finalized if cursor else None)
            self._tip = cursor.tip if cursor else None
            if self._tip is None:
                first = await first_block(self._client, self._rules)
                await self._connect(lease, [first])
                self._tip = first.ref
            self._head = await self._client.head()
            self.health.head = self._head.number
        self.health.tip = self._tip
        return self._tip

    def _chain_of(self, block: Block) -> list[Block]:
        """`block` and those that were fetched already and build on it, as many as a chunk takes."""
        chain = [block]
        for following in self._ahead.ready(block.ref.number + 1, self._chunk - 1):
            if following.ref.parent_hash != chain[-1].ref.hash:
                break  # fetched before a reorg: will be asked for again
            chain.append(following)
        return chain

    async def _connect(self, lease: Lease, blocks: list[Block]) -> None:
        async def work(conn: Conn) -> None:
            await ledger.connect_blocks(
                conn, self._policy, lease, blocks, self._finality.number, clock.now()
            )

        started = time.monotonic()
        await storage.repeat(self._engine, work)
        seconds = max(time.monotonic() - started, 1e-6)
        # The next chunk should take a tenth of a second: then API writers never wait long.
        self._chunk = max(1, min(CHUNK_BLOCKS, int(len(blocks) * CHUNK_SECONDS / seconds)))
        self._tip = blocks[-1].ref
        self.health.connected(self._tip, len(blocks))
        self._meter.connected(len(blocks), sum(len(each.transfers) for each in blocks), seconds)

    async def _disconnect(self, lease: Lease) -> None:
        async def work(conn: Conn) -> BlockRef:
            return await ledger.disconnect_block(
                conn, self._policy, lease, self._finality.number, clock.now()
            )

        await self._ahead.clear()
        try:
            self._tip = await storage.repeat(self._engine, work)
        except ledger.ReorgTooDeep as error:
            raise Halted(
                f"{error}. Check that the endpoints follow the true chain, then restart to try "
                "again; if they do, restore a backup from before that block"
            ) from error
        self._meter.disconnected(self.health.disconnected(self._network, self._tip))
        self._head, self._beyond = await self._client.head(), 0

    async def _corroborate(self, lease: Lease) -> None:
        """Ask again for the blocks of deposits that are deep enough, and confirm what may be."""
        tip = await self._our_tip(lease)
        before = self._finality.number
        await self._finality.judge(tip, self._hash_at)
        self.health.frozen = self._finality.frozen
        self.health.finalized = final = self._finality.number
        self.health.finality_unknown = self._finality.unknown
        if self._finality.frozen:
            return
        given = await self._corroboration.ask(tip, final)
        self.health.short = self._corroboration.waiting
        self.health.overdue = self._corroboration.overdue
        if not given and final == before:
            return

        async def work(conn: Conn) -> None:
            await ledger.corroborate_deposits(conn, self._policy, lease, given, final, clock.now())

        await storage.repeat(self._engine, work)

    async def _hash_at(self, number: int) -> Hash | None:
        async with storage.read(self._engine) as conn:
            ref = await storage.blocks.at(conn, self._network, number)
        return ref.hash if ref else None

    async def _beat(self) -> None:
        self.health.endpoints = list(self._client.endpoints())
        self.health.warnings = list(self._client.warnings())
        now = clock.now()
        async with storage.write(self._engine) as conn:
            if self._lease is not None:
                await storage.leases.renew(conn, self._lease, LEASE_SECONDS)
                report = self.health.report(self._holder)
                await storage.health.publish(conn, self._network, report, now)
                if sample := self.health.sample(now):
                    await storage.samples.add(conn, self._network, sample)

    async def stop(self) -> None:
        """Give the lease back, so that another process may follow at once."""
        await self._ahead.clear()
        lease, self._lease = self._lease, None
        if lease is not None:
            with suppress(LeaseLost, storage.StorageUnavailable):  # it will lapse by itself
                async with storage.write(self._engine) as conn:
                    await storage.leases.release(conn, lease)
