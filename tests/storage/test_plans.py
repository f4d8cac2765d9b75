"""Every list, filter and pair of filters finds its rows by an index, whatever else there is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import combinations
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import event, text, update

import storage
from storage import Conn, Engine, deliveries, deposits, invoices, overview
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
        await ask(conn)
        sql, values = next(each for each in seen if each[0].startswith("SELECT"))
        word = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
        rows = await conn.exec_driver_sql(f"{word} {sql}", values)
        return [str(row[-1]) for row in rows]


async def plans(engine: Engine, noun: ModuleType, asked: dict[str, Any]) -> list[str]:
    """How it finds the rows of a page."""
    return await steps_of(engine, lambda conn: noun.listing(conn, MERCHANT, limit=21, **asked))


@pytest.fixture
async def crowded(engine: Engine) -> Engine:
    async with storage.write(engine) as conn:
        await fill(conn, COUNT)
    return engine


STATUS, LATE = {"status": InvoiceStatus.EXPIRED}, {"flag": Flag.LATE}
ORDER, WINDOW = {"external_id": "order 9"}, {"created_after": 5, "created_before": 90}
TRON, PENDING = {"network": Network("tron")}, {"status": DepositStatus.PENDING}
ADDRESS, HASH = {"address": f"0x{8:026d}"}, {"tx_hash": "transaction 8"}
INVOICE = {"invoice_id": numbered("inv", 8)}
HOOK, OFTEN, DEAD = {"webhook_id": "seldom"}, {"webhook_id": "often"}, {"state": "dead"}

INVOICES: list[tuple[dict[str, Any], str]] = [
    ({}, "ix_invoices_merchant_id_created_at_id"),
    ({"after": LATER}, "ix_invoices_merchant_id_created_at_id"),
    (WINDOW, "ix_invoices_merchant_id_created_at_id"),
    (STATUS, "ix_invoices_merchant_id_status_created_at_id"),
    (STATUS | {"after": LATER}, "ix_invoices_merchant_id_status_created_at_id"),
    (STATUS | WINDOW, "ix_invoices_merchant_id_status_created_at_id"),
    (STATUS | LATE, "ix_invoices_late"),
    (STATUS | LATE | {"after": LATER}, "ix_invoices_late"),
    (STATUS | LATE | WINDOW, "ix_invoices_late"),
    (LATE, "ix_invoices_late"),
    (LATE | {"after": LATER}, "ix_invoices_late"),
    (LATE | WINDOW, "ix_invoices_late"),
    (ORDER, "ix_invoices_merchant_id_external_id_created_at_id"),
    (ORDER | STATUS, "ix_invoices_merchant_id_external_id_created_at_id"),
    (ORDER | LATE, "ix_invoices_"),  # of few rows, both
    (ORDER | WINDOW, "ix_invoices_merchant_id_external_id_created_at_id"),
]
DEPOSITS: list[tuple[dict[str, Any], str]] = [
    ({}, ANY),
    ({"after": numbered("dep", 4000)}, ANY),
    (TRON, "ix_deposits_merchant_id_network_id"),
    (PENDING, "ix_deposits_merchant_id_status_id"),
    (TRON | PENDING, "ix_deposits_merchant_id_network_status_id"),
    *((ADDRESS | other, "ix_deposits_address") for other in ({}, TRON, PENDING, TRON | PENDING)),
    *((HASH | other, "ix_deposits_tx_hash") for other in ({}, TRON, PENDING, TRON | PENDING)),
    *((INVOICE | other, "ix_deposits_invoice_id") for other in ({}, TRON, PENDING)),
    *((one | other, "ix_deposits_") for one, other in combinations((ADDRESS, HASH, INVOICE), 2)),
]
DELIVERIES: list[tuple[dict[str, Any], str]] = [
    ({}, ANY),
    ({"after": numbered("dlv", 4000)}, ANY),
    (HOOK, "ix_deliveries_target_id"),
    (DEAD, "ix_deliveries_merchant_id_state_id"),
    (OFTEN | DEAD, "ix_deliveries_merchant_id_target_state_id"),
    *((INVOICE | other, "ix_deliveries_invoice_id_id") for other in ({}, OFTEN, DEAD)),
]
ASKED = [
    *((invoices, *each) for each in INVOICES),
    *((deposits, *each) for each in DEPOSITS),
    *((deliveries, *each) for each in DELIVERIES),
]


async def test_no_list_reads_what_it_does_not_show(crowded: Engine) -> None:
    for noun, filters, index in ASKED:
        steps = await plans(crowded, noun, filters)
        assert any(index in step for step in steps), (noun.__name__, filters, steps)
        whole = [step for step in steps if "Seq Scan" in step or step.startswith("SCAN")]
        assert whole == [], (noun.__name__, filters, steps)


@pytest.mark.parametrize("flag", list(Flag))
async def test_each_flag_has_an_index_of_its_own(crowded: Engine, flag: Flag) -> None:
    async with storage.write(crowded) as conn:
        change = invoices.table.update().where(invoices.table.c.id == numbered("inv", 5))
        await conn.execute(change.values(flags=frozenset({flag})))
    steps = await plans(crowded, invoices, {"flag": flag})
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
        if conn.dialect.name == "postgresql":
            await conn.execute(text("ANALYZE"))
    steps = await steps_of(crowded, count)
    assert any(index in step for step in steps), steps
