"""The operator's counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

import storage
from storage import Engine
from tests.factories import FAMILY, NETWORK, make_deposit
from tests.storage.books import make_address, open_invoice, open_shop
from watcher.domain.deposits import DepositStatus
from watcher.domain.invoices import InvoiceStatus
from watcher.domain.money import Family, Network

OPEN = {
    InvoiceStatus.AWAITING_PAYMENT,
    InvoiceStatus.PARTIALLY_PAID,
    InvoiceStatus.CONFIRMING,
}


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


async def test_what_awaits_a_decision_is_the_sum_of_what_each_invoice_says(engine: Engine) -> None:
    async with storage.write(engine) as conn:
        await open_shop(conn)
        assert await storage.overview.unmatched_deposits(conn) == 0
        await open_invoice(conn, unmatched=2)
        await open_invoice(conn, "2", addresses={})
        last = await open_invoice(conn, "3", addresses={})
        await storage.invoices.save(conn, replace(last, unmatched=3))
        assert await storage.overview.unmatched_deposits(conn) == 5


async def test_only_pending_deposits_wait_for_confirmations(engine: Engine) -> None:
    async with storage.write(engine) as conn:
        await open_shop(conn)
        await open_invoice(conn)
        statuses = enumerate((*DepositStatus, DepositStatus.PENDING))
        some = [make_deposit(status=status, tx=str(tx)) for tx, status in statuses]
        await storage.deposits.add(conn, some, 0)
        assert await storage.overview.pending_deposits(conn) == 2


async def test_the_lists_hold_what_the_counts_count_newest_first(engine: Engine) -> None:
    async with storage.write(engine) as conn:
        await open_shop(conn)
        opened = [(await open_invoice(conn)).id]
        opened.append((await open_invoice(conn, "2", addresses={}, unmatched=2)).id)
        await open_invoice(conn, "3", addresses={}, status=InvoiceStatus.PAID)
        newest_first = sorted(opened, reverse=True)
        view = storage.overview
        assert await view.list_open(conn, None, 10) == newest_first
        assert await view.list_open(conn, None, 1) == newest_first[:1]
        assert await view.list_open(conn, newest_first[0], 10) == newest_first[1:]
        assert await view.list_delayed(conn, [NETWORK], {FAMILY}, None, 10) == newest_first
        assert await view.list_delayed(conn, [], set(), None, 10) == []
        assert len(await view.list_invoices(conn, None, 10)) == 3
        assert await view.list_unmatched(conn, None, 10) == [opened[1]]


async def test_deposits_are_listed_by_what_the_chain_says(engine: Engine) -> None:
    gone = make_deposit(tx="3", status=DepositStatus.ORPHANED)
    async with storage.write(engine) as conn:
        await open_shop(conn)
        await open_invoice(conn)
        await storage.deposits.add(conn, [make_deposit(), gone], 0)
        orphaned = await storage.overview.list_deposits(conn, DepositStatus.ORPHANED, None, 10)
        assert orphaned == [gone.id]
        assert len(await storage.overview.list_deposits(conn, None, None, 10)) == 2
