"""Migrations: from nothing, from an older populated database, by two at once, and not backwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from alembic import command
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

import storage
from storage import Engine, close, open_engine, read, write
from storage.migrate import SchemaTooNew, config, migrate, schema_state
from tests.factories import NETWORK, make_hash
from watcher.domain.blocks import BlockRef, Hash
from watcher.domain.events import EventType

OLD_ROWS = (
    "INSERT INTO merchants VALUES ('mer_1', 'Shop', 1, 7)",
    "INSERT INTO wallets VALUES ('wal_1', 'mer_1', 'evm', 'pool', NULL, NULL, 0, 7)",
    "INSERT INTO invoices VALUES ('inv_1', 'mer_1', 'confirming', ',late,', '1', 'USD', '0', NULL,"
    " NULL, '{}', 7, 8, NULL, 8, '1/3', '0', 7, NULL)",
    "INSERT INTO addresses VALUES ('evm', '0xa', 'wal_1', NULL, 0, 'inv_1', 7)",
    "INSERT INTO deposits SELECT 'dep_1', 'mer_1', 'inv_1', 'polygon', 'polygon:usdc', 1, 'hash',"
    " 10, '', 'withdrawal/0', 0, NULL, '0xa', {one}, '3', false, 10, 'pending', false, NULL,"
    " false, NULL, false",
    "INSERT INTO timeline VALUES ('inv_1', 0, 'confirming', 7, NULL)",
    "INSERT INTO blocks VALUES ('polygon', 1, 'h', 'p', 10)",
    "INSERT INTO networks VALUES ('polygon', 4, NULL, NULL, 'g', 1, 'h', 'p', 10, NULL)",
    "INSERT INTO events VALUES ('mer_1', 1, 'evt_1', 'invoice.created', 'inv_1', NULL, 7, '{}')",
    "INSERT INTO instance VALUES (1, 'live', 7)",
)


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Engine]:
    engine = open_engine(empty_url)
    yield engine
    await close(engine)


async def test_an_empty_database_is_brought_to_head_and_stays_there(empty: Engine) -> None:
    assert await schema_state(empty) == "empty"
    await migrate(empty)
    assert await schema_state(empty) == "head"
    await migrate(empty)
    assert await schema_state(empty) == "head"


async def test_the_migrations_make_what_the_schema_says(engine: Engine) -> None:
    async with write(engine) as conn:
        await conn.run_sync(lambda connection: command.check(config(connection)))


async def test_two_that_start_at_once_migrate_once(empty_url: str) -> None:
    engines = [open_engine(empty_url) for _ in range(3)]
    await asyncio.gather(*(migrate(engine) for engine in engines))
    assert [await schema_state(engine) for engine in engines] == ["head"] * 3
    for engine in engines:
        await close(engine)


async def test_an_older_database_keeps_its_rows(empty: Engine) -> None:
    await migrate(empty, "0001")
    assert await schema_state(empty) == "behind"
    one = {"sqlite": f"x'{1:064x}'", "postgresql": "1"}[empty.dialect.name]
    async with write(empty) as conn:
        for row in OLD_ROWS:
            await conn.execute(text(row.format(one=one) if "{one}" in row else row))

    await migrate(empty)
    assert await schema_state(empty) == "head"
    async with write(empty) as conn:
        deposit = await storage.deposits.get(conn, None, "dep_1")
        invoice = await storage.invoices.get(conn, "inv_1")
        cursor = await storage.cursors.get(conn, NETWORK)
        tip = await storage.blocks.tip(conn, NETWORK)
        told = await storage.events.after(conn, "mer_1", 0, 10)
        await storage.instance.claim(conn, "live", 9)
        await storage.health.publish(conn, NETWORK, {"state": "following"}, 9)
        await storage.corroborations.add(conn, NETWORK, make_hash("1"), ["own"], 9)
    assert deposit is not None
    assert (deposit.units, deposit.tx_hash) == (1, None)
    assert invoice is not None
    assert invoice.addresses == {"evm": "0xa"}
    assert invoice.unmatched == 1  # nothing was offered
    assert cursor is not None
    assert cursor.tip == tip == BlockRef(1, Hash("h"), Hash("p"), 10)
    assert [event.type for event in told] == [EventType.INVOICE_CREATED]


async def test_a_newer_schema_is_refused_and_left_alone(engine: Engine) -> None:
    async with write(engine) as conn:
        await conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert await schema_state(engine) == "newer"
    with pytest.raises(SchemaTooNew, match="newer version"):
        await migrate(engine)
    async with read(engine) as conn:
        kept = (await conn.execute(text("SELECT version_num FROM alembic_version"))).scalar_one()
    assert kept == "9999"


async def test_a_migration_that_fails_leaves_nothing(empty: Engine) -> None:
    async with write(empty) as conn:
        await conn.execute(text("CREATE TABLE health (network TEXT)"))  # in the way of 0002
    with pytest.raises(DBAPIError, match="health"):
        await migrate(empty)
    assert await schema_state(empty) == "empty"
    async with read(empty) as conn:
        assert await conn.run_sync(lambda at: inspect(at).get_table_names()) == ["health"]
