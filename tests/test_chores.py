"""Chores: run when due, by one process, and what becomes of one that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

import storage
from storage import Engine, close, open_engine
from storage.chores import Course
from tests.factories import NETWORK, make_id
from tests.fakes import FakeChain
from tests.world import make_policy, open_shop
from watcher.chores import Chore, chores_of, do_if_due, run_chores
from watcher.clock import now
from watcher.domain.blocks import BlockRef
from watcher.domain.events import Event, EventType
from watcher.domain.money import Network


class Work:
    """A chore's work: counts its runs, and fails as it is told to."""

    def __init__(self, error: Exception | None = None, seconds: float = 0) -> None:
        self.runs, self.error, self.seconds = 0, error, seconds
        self.done = asyncio.Event()

    async def __call__(self) -> None:
        self.runs += 1
        await asyncio.sleep(self.seconds)
        self.done.set()
        if self.error is not None:
            raise self.error


async def course(engine: Engine) -> Course:
    async with storage.read(engine) as conn:
        [only] = await storage.chores.courses(conn)
    return only


async def until_counted(engine: Engine) -> None:
    """Wait for the failure of the only chore to be stored."""
    for _ in range(500):
        if (await course(engine)).failures:
            await asyncio.sleep(0.01)  # its log line comes next
            return
        await asyncio.sleep(0.01)
    raise AssertionError("never counted")


@asynccontextmanager
async def running(engine: Engine, *chores: Chore) -> AsyncIterator[None]:
    task = asyncio.create_task(run_chores(engine, chores, look_seconds=0.02))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_chore_runs_once_until_it_is_due_again(engine: Engine) -> None:
    work = Work()
    for _ in range(3):
        await do_if_due(engine, Chore("audit", 900, work))
    assert work.runs == 1
    assert (await course(engine)).last_ok is not None


async def test_a_chore_is_looked_after_while_others_are(engine: Engine) -> None:
    first, second = Work(), Work()
    async with running(engine, Chore("first", 900, first), Chore("second", 900, second)):
        async with asyncio.timeout(10):
            await first.done.wait()
            await second.done.wait()
    assert (first.runs, second.runs) == (1, 1)


async def test_of_two_processes_one_runs_a_chore(db_url: str) -> None:
    engines, work = [open_engine(db_url) for _ in range(2)], Work()
    try:
        chore = Chore("audit", 900, work)
        async with running(engines[0], chore), running(engines[1], chore):
            async with asyncio.timeout(10):
                await work.done.wait()
            for _ in range(5):  # both look again
                await asyncio.gather(*(do_if_due(each, chore) for each in engines))
        assert work.runs == 1
    finally:
        for each in engines:
            await close(each)


async def test_an_outside_fault_is_told_in_words_and_the_chore_comes_again(engine: Engine) -> None:
    work = Work(storage.StorageUnavailable("the database is away"))
    with capture_logs() as logs:
        await do_if_due(engine, Chore("audit", 900, work))
    assert [(line["log_level"], line["reason"]) for line in logs] == [
        ("warning", "the database is away")
    ]
    failed = await course(engine)
    assert (failed.last_ok, failed.last_error, failed.failures) == (
        None,
        "the database is away",
        1,
    )
    work.error = None
    async with storage.write(engine) as conn:
        await conn.execute(update(storage.chores.table).values(next_run=0))
    await do_if_due(engine, Chore("audit", 900, work))
    assert (await course(engine)).last_error is None


async def test_a_fault_of_ours_is_logged_once_and_counted(engine: Engine) -> None:
    work = Work(ValueError("a secret"))
    with capture_logs() as logs:
        async with running(engine, Chore("audit", 900, work)), asyncio.timeout(10):
            await work.done.wait()
            await until_counted(engine)
    [line] = logs
    assert (line["log_level"], line["chore"]) == ("error", "audit")
    assert isinstance(line["exc_info"], ValueError)
    assert ((await course(engine)).last_error, (await course(engine)).failures) == ("ValueError", 1)


async def test_a_run_that_takes_too_long_is_ended(engine: Engine) -> None:
    work = Work(seconds=30)
    await do_if_due(engine, Chore("audit", 1, work))
    assert not work.done.is_set()
    assert (await course(engine)).last_error == "not done within 1 s"


@pytest.mark.parametrize("chores", [[], ["audit"]])
async def test_it_ends_when_it_is_cancelled(engine: Engine, chores: list[str]) -> None:
    async with running(engine, *(Chore(name, 900, Work()) for name in chores)):
        await asyncio.sleep(0)


async def test_events_are_forgotten_by_a_chore_only_where_it_is_said(engine: Engine) -> None:
    for_ever = make_policy()
    policies = for_ever, replace(for_ever, keep_seconds=86_400)
    names = [[chore.name for chore in chores_of(engine, each, {})] for each in policies]
    assert names == [["audit", "idempotency"], ["audit", "idempotency", "events"]]


async def test_the_chore_forgets_what_is_older_than_is_kept(engine: Engine) -> None:
    await open_shop(engine)
    told = Event(EventType.INVOICE_UPDATED, make_id("mer"), make_id("inv"))
    async with storage.write(engine) as conn:
        for age in (9, 0):
            await storage.events.append(conn, [(told, {})], now() - age * 86_400)
    *_, forget = chores_of(engine, replace(make_policy(), keep_seconds=86_400), {})
    await do_if_due(engine, forget)
    async with storage.read(engine) as conn:
        assert [each.seq for each in await storage.events.after(conn, make_id("mer"), 0, 9)] == [2]


class Endless(FakeChain):
    """Takes longer to tell what is final than an audit may take."""

    async def finalized(self) -> BlockRef | None:
        await asyncio.Event().wait()
        return None


class Broken(FakeChain):
    """Has a bug."""

    async def finalized(self) -> BlockRef | None:
        raise AttributeError("finalized")


@pytest.mark.parametrize("bad", [Endless, Broken])
async def test_a_network_whose_audit_does_not_end_leaves_the_others_theirs(
    engine: Engine, bad: type[FakeChain]
) -> None:
    other = Network("ethereum")
    await open_shop(engine)
    clients = {NETWORK: bad(), other: FakeChain()}
    audit, *_ = chores_of(engine, make_policy((NETWORK, other)), clients)
    work = asyncio.ensure_future(audit.work())
    try:
        async with asyncio.timeout(10):
            while True:
                async with storage.read(engine) as conn:
                    if other in await storage.holdings.last_runs(conn):
                        break
                await asyncio.sleep(0.01)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
