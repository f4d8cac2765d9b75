"""The property that guards the books: they depend on the final chain alone."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

import storage
from storage import Engine
from tests.factories import BLOCK_SECONDS, NETWORK, make_invoice, make_transfer
from tests.fakes import FakeChain
from tests.world import books, catch_up, make_follower, make_policy, open_shop
from watcher import finality, ledger
from watcher.domain.blocks import Block
from watcher.domain.deposits import is_deep
from watcher.follower import Follower

POLICY = make_policy(reorg_limit=64)
FAR = 2**35  # a deadline that no chain here reaches

payments = st.lists(st.sampled_from([20, 50, 60, 100]), max_size=2)
grow = st.tuples(st.just("grow"), payments)
fork = st.tuples(st.just("fork"), st.integers(1, 6))
back = st.tuples(st.just("return"), st.just(0))
lag = st.tuples(st.just("lag"), st.integers(0, 3))
restart = st.tuples(st.just("restart"), st.just(0))
moves = st.lists(
    st.tuples(st.one_of(grow, grow, grow, fork, back, lag, restart), st.integers(0, 4)),
    max_size=14,
)


class History:
    """A chain with the fork that it left last, and the follower that lives through it."""

    def __init__(self, engine: Engine) -> None:
        self.chain, self.engine = FakeChain(), engine
        self.follower = self.restarted()
        self._left: Sequence[Block] = ()
        self._forked_at = 0
        self._transactions = 0

    def restarted(self) -> Follower:
        return make_follower(self.chain, self.engine, POLICY)

    async def play(self, kind: str, argument: object) -> None:
        match kind, argument:
            case "grow", list(amounts):
                self._transactions += 1
                self.chain.mine(
                    *(
                        make_transfer(units, tx=str(self._transactions), position=f"log/{i}")
                        for i, units in enumerate(amounts)
                    )
                )
            case "fork", int(depth):
                self._left = self.chain.reorg(depth)
                self._forked_at = self.chain.tip.number
                for _ in range(depth + 1):
                    self.chain.mine()
            case "return", _:
                depth = self.chain.tip.number - self._forked_at
                self._left = self.chain.reorg(depth, onto=self._left)
            case "lag", int(blocks):
                self.chain.lag = blocks
            case _:
                self.follower = self.restarted()


@pytest.fixture(autouse=True)
def _ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)


@settings(
    deadline=None,
    max_examples=40,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(moves=moves, expiry=st.integers(0, 20))
def test_books_depend_only_on_the_final_chain(
    moves: list[tuple[tuple[str, object], int]], expiry: int, sqlite_template: Path
) -> None:
    asyncio.run(live_through(moves, expiry * BLOCK_SECONDS, sqlite_template))


async def live_through(
    moves: list[tuple[tuple[str, object], int]], expires_at: int, template: Path
) -> None:
    async with fresh(template, expires_at) as lived, fresh(template, expires_at) as clean:
        history = History(lived)
        await history.follower.turn()
        history.chain.mine()
        for (kind, argument), turns in moves:
            await history.play(kind, argument)
            for _ in range(turns):
                await history.follower.turn()
        history.chain.lag = 0
        history.chain.mine()  # a bare reorg looks like lag; one more block tells the fork apart
        await catch_up(history.follower)
        await connect_at_once(clean, history.chain)
        assert await books(lived) == await books(clean)


async def connect_at_once(engine: Engine, chain: FakeChain) -> None:
    """A run without any history: the final chain in one transaction, and its confirmations."""
    async with storage.write(engine) as conn:
        lease = await storage.leases.acquire(conn, NETWORK, "clean", 30)
        assert lease is not None
        await ledger.connect_blocks(conn, POLICY, lease, chain.all_blocks(), None, 0)
        pending = await storage.deposits.pending(conn, NETWORK)
        given = {each: ["own"] for each in pending if is_deep(each, chain.tip, None)}
        await ledger.corroborate_deposits(conn, POLICY, lease, given, None, 0)


@asynccontextmanager
async def fresh(template: Path, expires_at: int) -> AsyncIterator[Engine]:
    with TemporaryDirectory() as folder:
        shutil.copy(template, Path(folder) / "books.db")
        engine = storage.open_engine(f"sqlite:///{folder}/books.db")
        try:
            await open_shop(engine, replace(make_invoice(), expires_at=expires_at))
            yield engine
        finally:
            await storage.close(engine)


async def test_of_quiet_blocks_a_hundred_ask_the_database_no_more_than_one(
    sqlite_template: Path,
) -> None:
    chain = FakeChain()
    for _ in range(102):
        chain.mine()
    first, second, *rest = chain.all_blocks()
    async with fresh(sqlite_template, FAR) as engine, storage.write(engine) as conn:
        lease = await storage.leases.acquire(conn, NETWORK, "clean", 30)
        assert lease is not None
        asked: list[str] = []
        event.listen(engine.sync_engine, "before_cursor_execute", lambda *of: asked.append(of[2]))
        counts = []
        for blocks in ([first], [second], rest):
            asked.clear()
            await ledger.connect_blocks(conn, POLICY, lease, blocks, None, 0)
            counts.append(len(asked))
        assert counts[2] == counts[1]
        assert (await storage.cursors.tips(conn))[NETWORK] == chain.tip
