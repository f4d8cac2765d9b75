"""Transactions: who waits for whom, what is lost, and what is repeated."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import BigInteger, Column, MetaData, Table, insert, make_url, select, text, update
from sqlalchemy.exc import DBAPIError

import storage
from storage import (
    Conn,
    Contended,
    Engine,
    StorageUnavailable,
    close,
    open_engine,
    read,
    repeat,
    write,
)
from tests.postgres import database_url, run_sql
from tests.real.shop import until

counters = Table(
    "counters",
    MetaData(),
    Column("id", BigInteger, primary_key=True),
    Column("value", BigInteger, nullable=False),
)


@pytest.fixture
async def counting(engine: Engine) -> Engine:
    async with write(engine) as conn:
        await conn.run_sync(counters.create)
        await conn.execute(insert(counters), [{"id": 1, "value": 0}, {"id": 2, "value": 0}])
    return engine


async def value_of(conn: Conn, id: int = 1, *, lock: bool = False) -> int:
    query = select(counters.c.value).where(counters.c.id == id)
    value: int = (await conn.execute(query.with_for_update() if lock else query)).scalar_one()
    return value


async def put(conn: Conn, value: int, id: int = 1) -> None:
    await conn.execute(update(counters).where(counters.c.id == id).values(value=value))


async def test_no_update_is_lost_among_writers(counting: Engine) -> None:
    async def add_many() -> None:
        for _ in range(10):
            async with write(counting) as conn:
                await put(conn, await value_of(conn, lock=True) + 1)

    await asyncio.gather(*(add_many() for _ in range(4)))
    async with read(counting) as conn:
        assert await value_of(conn) == 40


async def test_no_update_is_lost_among_engines_that_share_a_database(
    counting: Engine, db_url: str
) -> None:
    async def add_many() -> None:
        other = open_engine(db_url)
        for _ in range(10):
            async with write(other) as conn:
                await put(conn, await value_of(conn, lock=True) + 1)
        await close(other)

    await asyncio.gather(*(add_many() for _ in range(2)))
    async with read(counting) as conn:
        assert await value_of(conn) == 20


async def test_an_exception_leaves_no_trace(counting: Engine) -> None:
    async def fail() -> None:
        async with write(counting) as conn:
            await put(conn, 7)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with read(counting) as conn:
        assert await value_of(conn) == 0


async def test_a_cancelled_writer_leaves_no_trace_and_no_lock(counting: Engine) -> None:
    inside = asyncio.Event()

    async def hang() -> None:
        async with write(counting) as conn:
            await put(conn, 7)
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with write(counting) as conn:
        assert await value_of(conn, lock=True) == 0


async def test_a_cancelled_statement_is_cancelled_and_no_outage(
    counting: Engine, db_url: str
) -> None:
    """Whoever waits an outage out would else go on for ever after it was told to end."""
    other = open_engine(db_url)
    began = asyncio.Event()

    async def wait_for_the_row() -> None:
        async with write(other) as conn:
            began.set()
            await put(conn, 2)

    async def connected() -> bool:
        return other.pool.checkedout() == 1

    async with write(counting) as conn:
        await put(conn, 1)
        waiting = asyncio.create_task(wait_for_the_row())
        await until(connected, "the second writer has a connection")
        if counting.dialect.name == "postgresql":  # a SQLite writer waits to begin
            await began.wait()
        await asyncio.sleep(0.05)  # into the statement that waits
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await close(other)


async def test_a_reader_does_not_wait_for_a_writer_and_sees_one_moment(counting: Engine) -> None:
    async with read(counting) as reader:
        assert await value_of(reader) == 0
        async with write(counting) as writer:
            await put(writer, 7)
            async with read(counting) as second:
                assert await value_of(second) == 0
        assert await value_of(reader) == 0
    async with read(counting) as third:
        assert await value_of(third) == 7


async def test_a_reader_cannot_write(counting: Engine) -> None:
    with pytest.raises(DBAPIError, match=r"read-?only"):
        async with read(counting) as conn:
            await put(conn, 7)
    async with write(counting) as conn:  # nor does it spoil the connection for a writer
        assert await value_of(conn) == 0
        await put(conn, 8)
    async with read(counting) as conn:
        assert await value_of(conn) == 8


async def test_sqlite_writers_take_turns_in_the_order_they_came(sqlite_url: str) -> None:
    engine, order = open_engine(sqlite_url), list[int]()

    async def enter(number: int) -> None:
        async with write(engine):
            order.append(number)
            await asyncio.sleep(0)

    async with write(engine):
        tasks = []
        for number in range(8):
            tasks.append(asyncio.create_task(enter(number)))
            await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    await close(engine)
    assert order == list(range(8))


async def test_a_deadlock_is_repeated_until_both_are_done(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    async with write(engine) as conn:
        await conn.run_sync(counters.create)
        await conn.execute(insert(counters), [{"id": 1, "value": 0}, {"id": 2, "value": 0}])
    both = asyncio.Barrier(2)
    tries = 0

    async def cross(first: int, second: int) -> None:
        met = False

        async def work(conn: Conn) -> None:
            nonlocal met, tries
            tries += 1
            await put(conn, await value_of(conn, first, lock=True) + 1, first)
            if not met:
                met = True
                await both.wait()  # each holds one row and wants the other's
            await put(conn, await value_of(conn, second, lock=True) + 1, second)

        await repeat(engine, work)

    await asyncio.gather(cross(1, 2), cross(2, 1))
    async with read(engine) as conn:
        assert (await value_of(conn, 1), await value_of(conn, 2)) == (2, 2)
    await close(engine)
    assert tries > 2  # three, unless they met again


async def test_what_always_fails_is_tried_a_bounded_number_of_times(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, tries = open_engine(postgres_url), 0
    monkeypatch.setattr(storage, "PAUSES", (0.0, 0.0))

    async def work(conn: Conn) -> None:
        nonlocal tries
        tries += 1
        raising = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$"
        await conn.execute(text(raising))

    with pytest.raises(Contended):
        await repeat(engine, work)
    await close(engine)
    assert tries == 3


async def test_a_busy_sqlite_file_is_tried_again(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_PRAGMAS", ("busy_timeout=0", "journal_mode=WAL"))
    first, second = open_engine(sqlite_url), open_engine(sqlite_url)
    holding, freed = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with write(first):
            holding.set()
            await freed.wait()

    task = asyncio.create_task(hold())
    await holding.wait()
    with pytest.raises(Contended, match="locked"):
        async with write(second):
            pass
    asyncio.get_running_loop().call_later(0.02, freed.set)

    async def work(conn: Conn) -> str:
        return "done"

    assert await repeat(second, work) == "done"
    await task
    await close(first)
    await close(second)


async def test_an_error_of_the_work_itself_is_not_repeated(engine: Engine) -> None:
    tries = 0

    async def work(conn: Conn) -> None:
        nonlocal tries
        tries += 1
        raise OSError("not of the database")

    with pytest.raises(OSError, match="not of the database"):
        await repeat(engine, work)
    assert tries == 1


async def test_a_refused_connection_is_unavailable(tmp_path: object) -> None:
    engine = open_engine(f"postgresql://t@/none?host={tmp_path}")
    with pytest.raises(StorageUnavailable) as error:
        async with read(engine):
            pass
    assert isinstance(error.value.__cause__, OSError)
    await close(engine)


async def test_a_database_that_does_not_exist_is_unavailable(postgres: str) -> None:
    engine = open_engine(database_url(postgres, "nowhere"))
    with pytest.raises(StorageUnavailable, match="nowhere"):
        async with write(engine):
            pass
    await close(engine)


async def test_a_folder_that_is_gone_is_unavailable(tmp_path: object) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/gone/test.db")
    with pytest.raises(StorageUnavailable):
        async with read(engine):
            pass
    await close(engine)


async def test_a_killed_connection_is_unavailable_once_and_then_replaced(
    postgres_url: str, postgres: str
) -> None:
    engine = open_engine(postgres_url)
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"
    name = make_url(postgres_url).database

    async def work() -> None:
        async with write(engine) as conn:
            await conn.execute(text("SELECT 1"))
            run_sql(postgres, kill.format(name))
            await conn.execute(text("SELECT 1"))

    with pytest.raises(StorageUnavailable):
        await work()
    async with read(engine) as conn:
        assert (await conn.execute(text("SELECT 1"))).scalar_one() == 1
    run_sql(postgres, kill.format(name))  # killed while idle in the pool: nobody notices
    async with read(engine) as conn:
        assert (await conn.execute(text("SELECT 1"))).scalar_one() == 1
    await close(engine)


async def test_sqlite_has_the_pragmas_that_money_needs(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    async with read(engine) as conn:
        found = {
            name: (await conn.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    await close(engine)
    full = 2
    assert found == {
        "journal_mode": "wal",
        "synchronous": full,
        "busy_timeout": 5000,
        "foreign_keys": 1,
    }


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/name"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="database"):
        open_engine(url)
