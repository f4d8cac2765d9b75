"""The operator's counts."""

from __future__ import annotations

from typing import Any

import pytest

import storage
from storage import Engine
from tests.factories import FAMILY, METHOD, NETWORK, make_deposit
from tests.storage.books import make_address, open_invoice, open_shop
from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.invoices import InvoiceStatus
from watcher.domain.money import Family, Method, Network

OPEN = {
    InvoiceStatus.AWAITING_PAYMENT,
    InvoiceStatus.PARTIALLY_PAID,
    InvoiceStatus.CONFIRMING,
}


async def count_unmatched(engine: Engine, *deposits: Deposit, **facts: int) -> int:
    """How many of these await a decision; `facts` are of their invoice."""
    async with storage.write(engine) as conn:
        await open_shop(conn)
        await open_invoice(conn, **facts)
        await storage.deposits.add(conn, deposits, 0)
        return await storage.overview.unmatched_deposits(conn)


@pytest.mark.parametrize("status", list(InvoiceStatus))
async def test_an_invoice_is_open_while_money_may_change_it(
    engine: Engine, status: InvoiceStatus
) -> None:
    async with storage.write(engine) as conn:
        await open_shop(conn)
        await open_invoice(conn, status=status)
        assert await storage.overview.open_invoices(conn) == (status in OPEN)


@pytest.mark.parametrize(
    ("lagging", "family", "count"),
    [
        pytest.param([], FAMILY, 0, id="none lags"),
        pytest.param([NETWORK], "tron", 2, id="it is offered there"),
        pytest.param(["base"], FAMILY, 1, id="it has an address there"),
        pytest.param(["tron"], "tron", 0, id="another family"),
    ],
)
async def test_an_open_invoice_is_delayed_by_a_network_that_lags(
    engine: Engine, lagging: list[Network], family: Family, count: int
) -> None:
    async with storage.write(engine) as conn:
        await open_shop(conn)
        await open_invoice(conn)
        await open_invoice(conn, "2", addresses={})
        paid = {FAMILY: make_address(9)}
        await open_invoice(conn, "3", 1, addresses=paid, status=InvoiceStatus.PAID)
        assert await storage.overview.delayed_invoices(conn, lagging, {family}) == count


@pytest.mark.parametrize(
    ("facts", "count"),
    [
        pytest.param({}, 0, id="it counts"),
        pytest.param({"method": Method("polygon:pol")}, 1, id="not offered"),
        pytest.param({"time": 1000}, 0, id="in the last second"),
        pytest.param({"time": 1001}, 1, id="late"),
        pytest.param({"below_minimum": True}, 1, id="too small"),
        pytest.param({"time": 1001, "status": DepositStatus.ORPHANED}, 0, id="orphaned"),
        pytest.param({"time": 1001, "status": DepositStatus.CONFIRMED}, 1, id="late, confirmed"),
    ],
)
async def test_what_counts_for_nothing_awaits_a_decision(
    engine: Engine, facts: dict[str, Any], count: int
) -> None:
    assert await count_unmatched(engine, make_deposit(**facts)) == count


@pytest.mark.parametrize(("time", "count"), [(4100, 0), (4099, 1)])
async def test_what_is_older_than_its_invoice_awaits_a_decision(
    engine: Engine, time: int, count: int
) -> None:
    found = make_deposit(time=time)
    assert await count_unmatched(engine, found, created_at=5000, expires_at=9000) == count


async def test_each_deposit_awaits_its_decision_once(engine: Engine) -> None:
    late = make_deposit(time=1001, method=Method("polygon:pol"), below_minimum=True)
    counting = make_deposit(method=METHOD, tx="2")
    assert await count_unmatched(engine, late, counting) == 1
