"""Every list and filter finds its rows by an index of its own, whatever else there is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import event, text, update

import storage
from storage import Conn, Engine, deposits, invoices, overview
from tests.storage.books import MERCHANT
from tests.storage.crowd import fill, numbered
from watcher.domain.deposits import DepositStatus
from watcher.domain.invoices import Flag, InvoiceStatus
from watcher.domain.money import Network

COUNT = 20_000
ANY = ""  # all are one merchant's here, so the primary key serves as well
LATER = (COUNT // 2, numbered("inv", COUNT // 2))


async def steps_of(engine: Engine, ask: Callable[[Conn], Awaitable[object]]) -> list[str]:
    """How the database finds what is asked for first: the steps that touch the table itself."""
    seen: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, sql: str, values: Any, *_: Any) -> None:
        seen.append((sql, values))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    async with storage.read(engine) as conn:
        assert await ask(conn)
        sql, values = next(each for each in seen if each[0].startswith("SELECT"))
        word = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
        rows = await conn.exec_driver_sql(f"{word} {sql}", values)
        return [str(row[-1]) for row in rows]


async def plans(engine: Engine, table: str, asked: dict[str, Any]) -> list[str]:
    """How it finds the rows of a page."""
    module = {"invoices": invoices, "deposits": deposits}[table]
    return await steps_of(engine, lambda conn: module.listing(conn, MERCHANT, limit=21, **asked))


@pytest.fixture
async def crowded(engine: Engine) -> Engine:
    async with storage.write(engine) as conn:
        await fill(conn, COUNT)
    return engine


async def test_no_list_reads_what_it_does_not_show(crowded: Engine) -> None:
    asked: list[tuple[str, dict[str, Any], str]] = [
        ("invoices", {}, "ix_invoices_merchant_id_created_at_id"),
        ("invoices", {"after": LATER}, "ix_invoices_merchant_id_created_at_id"),
        ("invoices", {"created_after": 5, "created_before": 90}, "merchant_id_created_at_id"),
        ("invoices", {"status": InvoiceStatus.PAID}, "merchant_id_status_created_at_id"),
        ("invoices", {"status": InvoiceStatus.PAID, "after": LATER}, "merchant_id_status"),
        ("invoices", {"external_id": "order 9"}, "merchant_id_external_id_created_at_id"),
        ("invoices", {"flag": Flag.LATE}, "ix_invoices_late"),
        ("invoices", {"flag": Flag.LATE, "after": LATER}, "ix_invoices_late"),
        ("deposits", {}, ANY),
        ("deposits", {"after": numbered("dep", 4000)}, ANY),
        ("deposits", {"network": Network("tron")}, "ix_deposits_merchant_id_network_id"),
        ("deposits", {"status": DepositStatus.PENDING}, "ix_deposits_merchant_id_status_id"),
        ("deposits", {"address": f"0x{8:026d}"}, "ix_deposits_address"),
        ("deposits", {"tx_hash": "transaction 8"}, "ix_deposits_tx_hash"),
        ("deposits", {"invoice_id": numbered("inv", 8)}, "ix_deposits_invoice_id"),
    ]
    for table, filters, index in asked:
        steps = await plans(crowded, table, filters)
        assert any(index in step for step in steps), (filters, steps)
        whole = [step for step in steps if "Seq Scan" in step or step.startswith("SCAN")]
        assert whole == [], (filters, steps)


@pytest.mark.parametrize("flag", list(Flag))
async def test_each_flag_has_an_index_of_its_own(crowded: Engine, flag: Flag) -> None:
    async with storage.write(crowded) as conn:
        change = invoices.table.update().where(invoices.table.c.id == numbered("inv", 5))
        await conn.execute(change.values(flags=frozenset({flag})))
    steps = await plans(crowded, "invoices", {"flag": flag})
    assert any(f"ix_invoices_{flag.value}" in step for step in steps), steps


@pytest.mark.parametrize(
    ("count", "index"),
    [
        (overview.pending_deposits, "ix_deposits_"),  # of the pending, or of the status
        (overview.unmatched_deposits, "ix_invoices_unmatched"),
        (overview.open_invoices, "ix_invoices_status_deadline"),
    ],
)
async def test_the_status_counts_only_what_it_counts(
    crowded: Engine, count: Callable[[Conn], Awaitable[object]], index: str
) -> None:
    async with storage.write(crowded) as conn:  # as in life: most is over
        closed = update(invoices.table).where(invoices.table.c.created_at < COUNT - 200)
        await conn.execute(closed.values(status="paid"))
        deep = update(deposits.table).where(deposits.table.c.block_number < COUNT - 200)
        await conn.execute(deep.values(status="confirmed"))
        await conn.execute(text("ANALYZE"))
    steps = await steps_of(crowded, count)
    assert any(index in step for step in steps), steps
