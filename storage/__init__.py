"""The database: one module per noun, each a set of functions over a connection.

Here: how an engine is opened and how a transaction on it begins, waits its turn, repeats and fails.
`read` and `write` behave alike on SQLite and PostgreSQL; what differs is here, in `types` and in
`dialects`. Whoever reads sees one moment of the database and never waits for a writer.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
    suppress,
)
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import event, make_url
from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from storage import (
    addresses,
    blocks,
    callbacks,
    chores,
    corroborations,
    cursors,
    deliveries,
    deposits,
    events,
    findings,
    health,
    holdings,
    idempotency,
    instance,
    invoices,
    keys,
    lanes,
    leases,
    merchants,
    overview,
    samples,
    searching,
    tries,
    wallets,
    webhooks,
)
from storage.types import Conn

__all__ = [
    "Conn",
    "Contended",
    "Engine",
    "StorageUnavailable",
    "addresses",
    "blocks",
    "callbacks",
    "chores",
    "close",
    "corroborations",
    "cursors",
    "deliveries",
    "deposits",
    "events",
    "findings",
    "health",
    "holdings",
    "idempotency",
    "instance",
    "invoices",
    "keys",
    "lanes",
    "leases",
    "merchants",
    "open_engine",
    "overview",
    "read",
    "repeat",
    "samples",
    "searching",
    "tries",
    "wallets",
    "webhooks",
    "write",
]

T = TypeVar("T")

CONNECT_SECONDS, STATEMENT_SECONDS, BUSY_SECONDS = 10, 300, 5
PAUSES = (0.01, 0.03, 0.1, 0.3)
"""Seconds, about, between the tries of a transaction that others got in the way of."""

_PRAGMAS = (
    f"busy_timeout={BUSY_SECONDS * 1000}",  # first: the next one may already have to wait
    "journal_mode=WAL",
    "synchronous=FULL",  # it is money: NORMAL can lose the last commits with the power
    "foreign_keys=ON",
)
_READS_ON_POSTGRES = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

# Primary codes of SQLite, https://www.sqlite.org/rescode.html. SQLITE_READONLY is not among them:
# it is what a reader gets that tries to write.
_IN_THE_WAY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DISK_GONE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
_FILE_BROKEN = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
# SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
_CROSSED = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available
_SERVER_GONE = {"57P01", "57P02", "57P03", "53100", "53200", "53300"}  # shut down, disk, memory


class StorageUnavailable(Exception):
    """The database cannot be reached or used now; the same work may succeed later."""


class Contended(StorageUnavailable):
    """Others got in the way: a deadlock, a serialization failure, a busy SQLite file."""


class Engine(AsyncEngine):
    """A pool of connections, for one event loop; on SQLite with the queue of its writers."""

    def __init__(self, sync_engine: sqlalchemy.Engine) -> None:
        super().__init__(sync_engine)
        sqlite = sync_engine.dialect.name == "sqlite"
        # First come, first served: SQLite's own waiting is a lottery that starves somebody.
        self.turn: AbstractAsyncContextManager[Any] = asyncio.Lock() if sqlite else nullcontext()
        self.after_commit: list[Callable[[], object]] = []
        """Called after each commit of a `write` of this process; must not wait nor raise."""


def open_engine(url: str) -> Engine:
    """An engine for `sqlite:///path` or `postgresql://user@host/name`; nothing connects yet.

    Raises:
        ValueError: another kind of URL, or an SQLite database without a file.
    """
    parsed = make_url(url)
    options: dict[str, Any]
    match parsed.drivername:
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            driver, options = "sqlite+aiosqlite", {}
        case "sqlite":
            raise ValueError("an SQLite database needs a file: sqlite:///watcher.db")
        case "postgresql":
            driver = "postgresql+asyncpg"
            options = {"connect_args": _postgres_arguments(), "pool_pre_ping": True}
        case other:
            raise ValueError(f"a database URL starts with sqlite: or postgresql:, not {other}:")
    pool = {"pool_size": 10, "max_overflow": 20, "pool_timeout": CONNECT_SECONDS}
    made = create_async_engine(
        parsed.set(drivername=driver), hide_parameters=True, **pool, **options
    )
    event.listen(made.sync_engine, "handle_error", _translate)
    if driver == "sqlite+aiosqlite":
        event.listen(made.sync_engine, "do_connect", _try_to_open)
        event.listen(made.sync_engine, "connect", _set_pragmas)
        event.listen(made.sync_engine, "begin", _begin)
    return Engine(made.sync_engine)


async def close(engine: Engine) -> None:
    """Close every connection."""
    await engine.dispose()


@asynccontextmanager
async def read(engine: Engine) -> AsyncIterator[Conn]:
    """A transaction that sees one moment of the database; writing in it is an error.

    Raises:
        StorageUnavailable: the database is away.
    """
    options = {} if engine.dialect.name == "sqlite" else _READS_ON_POSTGRES
    async with _transaction(engine, options) as conn:
        yield conn


@asynccontextmanager
async def write(engine: Engine) -> AsyncIterator[Conn]:
    """A transaction that commits at the end, or rolls back on an exception.

    On SQLite one at a time, in the order in which they came.

    Raises:
        StorageUnavailable: the database is away.
    """
    async with engine.turn, _transaction(engine, {"write": True}) as conn:
        yield conn
    for tell in engine.after_commit:
        tell()


async def repeat(engine: Engine, work: Callable[[Conn], Awaitable[T]]) -> T:
    """Do `work` in a transaction of its own, again from the start where others got in its way.

    Raises:
        Contended: they did at the last try, too.
        StorageUnavailable: the database is away.
    """
    for pause in PAUSES:
        with suppress(Contended):
            async with write(engine) as conn:
                return await work(conn)
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))
    async with write(engine) as conn:
        return await work(conn)


@asynccontextmanager
async def _transaction(engine: Engine, options: dict[str, Any]) -> AsyncIterator[Conn]:
    async with AsyncExitStack() as stack:
        try:
            conn = await stack.enter_async_context(engine.connect())
        except (OSError, sqlalchemy.exc.TimeoutError) as error:  # no driver translates these
            raise StorageUnavailable(f"no connection to the database: {error}") from error
        await conn.execution_options(**options)
        async with conn.begin():
            yield conn


def _postgres_arguments() -> dict[str, Any]:
    return {
        "timeout": CONNECT_SECONDS,
        "command_timeout": STATEMENT_SECONDS,
        "server_settings": {
            "application_name": "deposit-watcher",
            "jit": "off",  # costs more than it gives on short statements
            "random_page_cost": "1.1",  # no turning disk: what is scattered is found by its index
            # A process that vanished in the middle must not hold its locks for ever.
            "idle_in_transaction_session_timeout": "60s",
        },
    }


def _try_to_open(
    _dialect: object, _entry: object, arguments: list[Any], _options: dict[str, Any]
) -> None:
    """Fail here where the file cannot be opened: the driver's thread would outlive the loop."""
    sqlite3.connect(arguments[0]).close()


def _set_pragmas(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # `_begin` says when a transaction begins, and how
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(conn: Connection) -> None:
    writes = conn.get_execution_options().get("write", False)
    if conn.info.get("writes") is not writes:
        conn.exec_driver_sql(f"PRAGMA query_only={'OFF' if writes else 'ON'}")
        conn.info["writes"] = writes
    # A writer that begins deferred loses updates: it may have read before another one wrote.
    conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _translate(context: ExceptionContext) -> None:
    """Raise StorageUnavailable in place of an error that is no fault of the statement."""
    if context.is_pre_ping:
        return  # the pool connects anew
    error = context.original_exception
    if not isinstance(error, Exception):
        return  # a cancelled statement counts as a disconnect, and is no outage
    cannot_connect = context.connection is None and context.dialect.name == "postgresql"
    if context.is_disconnect or cannot_connect or _is_away(error):
        context.is_disconnect = True  # so that the pool forgets its connections
        raise StorageUnavailable(f"the database is away: {error}") from error
    if _got_in_the_way(error):
        raise Contended(f"others use the database: {error}") from error


def _is_away(error: BaseException | None) -> bool:
    state = getattr(error, "sqlstate", None) or ""
    return (
        isinstance(error, OSError)
        or state[:2] == "08"
        or state in _SERVER_GONE
        or _sqlite_code(error) in _DISK_GONE | _FILE_BROKEN
    )


def _got_in_the_way(error: BaseException | None) -> bool:
    return getattr(error, "sqlstate", None) in _CROSSED or _sqlite_code(error) in _IN_THE_WAY


def _sqlite_code(error: BaseException | None) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
