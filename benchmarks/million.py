"""Lists, filters, pairs of filters and single rows among a million invoices, beside a thousand.

    python -m benchmarks.million [--many 1000000]

Milliseconds, medians of both taken in turns in the same run, on both engines; each at most 3 times
those at 1,000. That no query reads a whole table is held by tests/storage/test_plans.py.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

import storage
from benchmarks.harness import databases
from storage import Conn, Engine, deliveries, deposits, events, invoices
from tests.storage.books import MERCHANT
from tests.storage.crowd import fill, numbered
from watcher.domain.deposits import DepositStatus
from watcher.domain.invoices import Flag, InvoiceStatus
from watcher.domain.money import Network

FEW, ROUNDS, LIMIT = 1000, 60, 21
MOST_TIMES = 3.0

Question = Callable[[Conn, int], Awaitable[object]]
"""Something to ask of books with so many invoices."""


def ask_invoices(**asked: object) -> Question:
    return lambda conn, _: invoices.listing(conn, MERCHANT, **{"limit": LIMIT, **asked})


def ask_deposits(**asked: object) -> Question:
    return lambda conn, _: deposits.listing(conn, MERCHANT, limit=LIMIT, **asked)


def ask_deliveries(**asked: object) -> Question:
    return lambda conn, _: deliveries.listing(conn, MERCHANT, limit=LIMIT, **asked)


def late_events(conn: Conn, count: int) -> Awaitable[object]:
    return events.after(conn, MERCHANT, count // 4, LIMIT)


def middle_page(conn: Conn, count: int) -> Awaitable[object]:
    after = (count // 2, numbered("inv", count // 2))
    return invoices.listing(conn, MERCHANT, after=after, limit=LIMIT)


def window(conn: Conn, count: int) -> Awaitable[object]:
    return invoices.listing(conn, MERCHANT, limit=LIMIT, **between(count))


def window_of(**asked: object) -> Question:
    return lambda conn, count: invoices.listing(
        conn, MERCHANT, limit=LIMIT, **between(count), **asked
    )


def late_since(conn: Conn, count: int) -> Awaitable[object]:
    return invoices.listing(conn, MERCHANT, flag=Flag.LATE, created_after=count // 4, limit=1)


def between(count: int) -> dict[str, int]:
    return {"created_after": count // 4, "created_before": count // 2}


def one_invoice(conn: Conn, count: int) -> Awaitable[object]:
    return invoices.get(conn, numbered("inv", count // 3))


POLYGON, TRON = Network("polygon"), Network("tron")
CONFIRMED, PENDING = DepositStatus.CONFIRMED, DepositStatus.PENDING
CANCELLED, EXPIRED = InvoiceStatus.CANCELLED, InvoiceStatus.EXPIRED
UNDERPAID = InvoiceStatus.UNDERPAID
ORDER, ADDRESS, INVOICE = "order 77", f"0x{78:026d}", numbered("inv", 78)

QUESTIONS: dict[str, Question] = {
    "GET one": one_invoice,
    "list": ask_invoices(),
    "list, in the middle": middle_page,
    "created between": window,
    "status": ask_invoices(status=InvoiceStatus.PAID),
    "external_id": ask_invoices(external_id=ORDER),
    "flag that one has": ask_invoices(flag=Flag.LATE),
    "flag that none has": ask_invoices(flag=Flag.REORGED),
    # One row: of the thousand no more than the last is flagged, and the more rows the slower.
    "status, flag": ask_invoices(status=CANCELLED, flag=Flag.LATE, limit=1),
    "status, flag of none": ask_invoices(status=UNDERPAID, flag=Flag.REORGED),
    "status, external_id": ask_invoices(status=EXPIRED, external_id=ORDER),
    "flag, external_id": ask_invoices(flag=Flag.LATE, external_id=ORDER),
    "created, status": window_of(status=EXPIRED),
    "created, flag": late_since,
    "created, flag of none": window_of(flag=Flag.REORGED),
    "created, external_id": window_of(external_id=ORDER),
    "deposits": ask_deposits(),
    "deposits, network": ask_deposits(network=TRON),
    "deposits, status": ask_deposits(status=PENDING),
    "deposits, no status": ask_deposits(status=DepositStatus.ORPHANED),
    "deposits, address": ask_deposits(address=ADDRESS),
    "deposits, tx_hash": ask_deposits(tx_hash="transaction 78"),
    "deposits, invoice": ask_deposits(invoice_id=INVOICE),
    "network, status": ask_deposits(network=TRON, status=PENDING),
    "no network, status": ask_deposits(network=Network("ethereum"), status=CONFIRMED),
    "network, address": ask_deposits(network=POLYGON, address=ADDRESS),
    "network, tx_hash": ask_deposits(network=POLYGON, tx_hash="transaction 78"),
    "network, invoice": ask_deposits(network=POLYGON, invoice_id=INVOICE),
    "status, address": ask_deposits(status=CONFIRMED, address=ADDRESS),
    "status, tx_hash": ask_deposits(status=CONFIRMED, tx_hash="transaction 78"),
    "status, invoice": ask_deposits(status=CONFIRMED, invoice_id=INVOICE),
    "address, invoice": ask_deposits(address=ADDRESS, invoice_id=INVOICE),
    "address, tx_hash": ask_deposits(address=ADDRESS, tx_hash="transaction 78"),
    "tx_hash, invoice": ask_deposits(tx_hash="transaction 78", invoice_id=INVOICE),
    "deliveries": ask_deliveries(),
    "deliveries, webhook": ask_deliveries(webhook_id="seldom"),
    "deliveries, invoice": ask_deliveries(invoice_id=INVOICE),
    "deliveries, state": ask_deliveries(state="dead"),
    "deliveries, no state": ask_deliveries(state="held"),
    "webhook, state": ask_deliveries(webhook_id="often", state="dead"),
    "webhook, invoice": ask_deliveries(webhook_id="often", invoice_id=INVOICE),
    "state, invoice": ask_deliveries(state="delivered", invoice_id=INVOICE),
    "events": late_events,
}


def main() -> int:
    """Print a table for each engine; 1 where a bound is broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--many", type=int, default=1_000_000)
    many = parser.parse_args().many
    good = True
    with databases("few", "many") as urls:
        for engine, (few_url, many_url) in urls.items():
            good &= asyncio.run(compare(engine, few_url, many_url, many))
    print("within all bounds" if good else "A BOUND IS BROKEN")
    return 0 if good else 1


async def compare(engine: str, few_url: str, many_url: str, many: int) -> bool:
    """Fill both databases of an engine, and ask everything of both in turns."""
    few_books, many_books = (storage.open_engine(url) for url in (few_url, many_url))
    started = time.perf_counter()
    for books, count in ((few_books, FEW), (many_books, many)):
        async with storage.write(books) as conn:
            await fill(conn, count)
    print(f"{engine}, filled in {time.perf_counter() - started:.0f} s")
    print(f"{'':<21}  at {FEW:,}  at {many:,}  ratio")
    good = True
    for name, question in QUESTIONS.items():
        rounds = [
            (await took(few_books, question, FEW), await took(many_books, question, many))
            for _ in range(ROUNDS)
        ]
        small, large = (1000 * statistics.median(column) for column in zip(*rounds, strict=True))
        good &= large / small <= MOST_TIMES
        print(f"{name:<21}  {small:8.2f}  {large:12.2f}  {large / small:5.2f}", flush=True)
    for books in (few_books, many_books):
        await storage.close(books)
    return good


async def took(books: Engine, question: Question, count: int) -> float:
    """Seconds that the answer takes."""
    async with storage.read(books) as conn:
        start = time.perf_counter()
        await question(conn, count)
        return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
