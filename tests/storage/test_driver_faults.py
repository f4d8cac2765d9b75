"""What the database drivers raise, class by class, and what becomes of it."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

import storage
from storage import Contended, Engine, StorageUnavailable, close, open_engine, read, write

AWAY, CROSSED, OURS = StorageUnavailable, Contended, DBAPIError

POSTGRES = [
    (asyncpg.PostgresConnectionError, AWAY),
    (asyncpg.ConnectionDoesNotExistError, AWAY),
    (asyncpg.ConnectionFailureError, AWAY),
    (asyncpg.AdminShutdownError, AWAY),
    (asyncpg.CrashShutdownError, AWAY),
    (asyncpg.CannotConnectNowError, AWAY),
    (asyncpg.DiskFullError, AWAY),
    (asyncpg.OutOfMemoryError, AWAY),
    (asyncpg.TooManyConnectionsError, AWAY),
    (asyncpg.SerializationError, CROSSED),
    (asyncpg.DeadlockDetectedError, CROSSED),
    (asyncpg.LockNotAvailableError, CROSSED),
    (asyncpg.UniqueViolationError, OURS),
    (asyncpg.UndefinedTableError, OURS),
    (asyncpg.ReadOnlySQLTransactionError, OURS),
]


@pytest.mark.parametrize(
    ("raised", "kind"), [pytest.param(*row, id=row[0].__name__) for row in POSTGRES]
)
async def test_what_a_server_says(
    postgres_url: str, raised: type[asyncpg.PostgresError], kind: type[Exception]
) -> None:
    """The server itself raises it, so that the driver makes of it what it makes of a true one."""
    engine = open_engine(postgres_url)
    raising = f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{raised.sqlstate}'; END $$"
    with pytest.raises((StorageUnavailable, DBAPIError)) as error:
        async with write(engine) as conn:
            await conn.execute(text(raising))
    await close(engine)
    assert isinstance(error.value, kind)
    assert isinstance(error.value, Contended) is (kind is CROSSED)


def sqlite_error(code: int) -> sqlite3.OperationalError:
    """An error as the driver makes it of SQLite's code."""
    error = sqlite3.OperationalError("said by SQLite")
    error.sqlite_errorcode = code
    return error


LOCAL = [
    (sqlite_error(sqlite3.SQLITE_FULL), AWAY),
    (sqlite_error(sqlite3.SQLITE_IOERR_WRITE), AWAY),
    (sqlite_error(sqlite3.SQLITE_CANTOPEN), AWAY),
    (sqlite_error(sqlite3.SQLITE_CORRUPT), AWAY),
    (sqlite_error(sqlite3.SQLITE_NOTADB), AWAY),
    (sqlite_error(sqlite3.SQLITE_BUSY), CROSSED),
    (sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT), CROSSED),
    (sqlite_error(sqlite3.SQLITE_LOCKED), CROSSED),
    (sqlite_error(sqlite3.SQLITE_READONLY), OURS),
    (sqlite_error(sqlite3.SQLITE_ERROR), OURS),
    (sqlite3.IntegrityError("UNIQUE constraint failed"), OURS),
    (TimeoutError(), AWAY),  # asyncpg's `command_timeout`
    (ConnectionResetError("by peer"), AWAY),
    (asyncpg.InternalClientError("a bug of the driver"), asyncpg.InternalClientError),
]


@pytest.mark.parametrize(("raised", "kind"), LOCAL)
async def test_what_a_driver_raises(
    sqlite_url: str, raised: Exception, kind: type[Exception]
) -> None:
    engine = open_engine(sqlite_url)

    def fail(_cursor: Any, statement: str, *_: Any) -> None:
        if statement == "SELECT 'fault'":
            raise raised

    event.listen(engine.sync_engine, "do_execute", fail)
    with pytest.raises(Exception) as error:  # noqa: PT011 - its class is what is tested
        async with read(engine) as conn:
            await conn.execute(text("SELECT 'fault'"))
    assert isinstance(error.value, kind)
    assert isinstance(error.value, Contended) is (kind is CROSSED)
    async with read(engine) as conn:  # nothing of it stays
        assert (await conn.execute(text("SELECT 1"))).scalar_one() == 1
    await close(engine)


async def test_a_pool_without_a_free_connection_is_unavailable(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "CONNECT_SECONDS", 0.01)
    engine = open_engine(sqlite_url)
    held = [await engine.connect() for _ in range(30)]
    with pytest.raises(StorageUnavailable) as error:
        async with read(engine):
            pass
    assert isinstance(error.value.__cause__, PoolTimeout)
    await asyncio.gather(*(conn.close() for conn in held))
    await close(engine)


async def test_a_mistake_of_ours_is_no_outage(engine: Engine) -> None:
    with pytest.raises(DBAPIError) as error:
        async with read(engine) as conn:
            await conn.execute(text("SELECT nothing FROM nowhere"))
    assert isinstance(error.value, ProgrammingError) is (engine.dialect.name == "postgresql")
