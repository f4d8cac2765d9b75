"""Invoices, deposits and events: what the ledger writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from storage import Conn, Engine, deposits, events, invoices, merchants, read, write
from storage.merchants import Merchant
from tests.factories import (
    FAMILY,
    METHOD,
    NETWORK,
    make_deposit,
    make_hash,
    make_id,
    make_quote,
    make_ref,
)
from tests.storage.books import MERCHANT, make_address, open_invoice, open_shop
from watcher.domain.deposits import Deposit, DepositStatus, orphan
from watcher.domain.events import Event, EventType
from watcher.domain.invoices import Flag, Invoice, InvoiceStatus
from watcher.domain.money import Method, Network, Price
from watcher.domain.timeline import Cause, Moment

CONFIRMED, ORPHANED = DepositStatus.CONFIRMED, DepositStatus.ORPHANED
PAID, EXPIRED = InvoiceStatus.PAID, InvoiceStatus.EXPIRED


@pytest.fixture
async def conn(engine: Engine) -> AsyncIterator[Conn]:
    async with write(engine) as opened:
        await open_shop(opened)
        yield opened


async def open_many(conn: Conn, deadlines: Sequence[int]) -> list[Invoice]:
    """Invoices by their deadline, each with an address of its own, in id order."""
    opened = [
        await open_invoice(
            conn, str(number), number, expires_at=deadline, addresses={FAMILY: make_address(number)}
        )
        for number, deadline in enumerate(deadlines)
    ]
    return sorted(opened, key=lambda invoice: invoice.id)


async def test_an_invoice_comes_back_whole(conn: Conn) -> None:
    quotes = [
        make_quote(2**256 - 1, contract=None, required="finalized", sources=("a", "b")),
        make_quote(method=Method("tron:usdt")),
    ]
    invoice = await open_invoice(
        conn,
        price=Price("49.99", "EUR"),
        quotes=quotes,
        tolerance_percent="0.5",
        selected=METHOD,
        cancelled_at=500,
        settled_for=Fraction(2, 3),
        external_id="8821",
        details={"metadata": {"big": 2**70}, "name": "Сорочка"},
        status=PAID,
        flags=frozenset({Flag.LATE, Flag.WRONG_ASSET}),
        seen=Fraction(4, 3),
        confirmed=Fraction(1, 3),
        updated_at=6,
        paid_at=7,
    )
    assert await invoices.get(conn, invoice.id) == invoice
    assert await invoices.get(conn, "inv_none") is None


async def test_saving_an_invoice_stores_what_may_change(conn: Conn) -> None:
    opened = await open_invoice(conn)
    changed = replace(
        opened,
        selected=METHOD,
        cancelled_at=500,
        settled_for=Fraction(1, 7),
        status=InvoiceStatus.CANCELLED,
        flags=frozenset({Flag.MANUAL}),
        details={"answers": {"size": "L"}},
        seen=Fraction(1, 3),
        confirmed=Fraction(1, 7),
        updated_at=8,
        paid_at=9,
    )
    await invoices.save(conn, changed)
    assert await invoices.get(conn, opened.id) == changed
    assert await invoices.lock(conn, [], (499, 501)) == [changed]  # its deadline moved too


@pytest.mark.parametrize("crossing", [(100, 300), (300, 100)])
async def test_lock_gives_those_named_and_those_crossed_in_id_order(
    conn: Conn, crossing: tuple[int, int]
) -> None:
    opened = await open_many(conn, [99, 100, 299, 300, 301])
    named = next(invoice.id for invoice in opened if invoice.deadline == 301)
    locked = await invoices.lock(conn, [named, "inv_none"], crossing)
    assert locked == [invoice for invoice in opened if invoice.deadline in (100, 299, 301)]
    assert await invoices.lock(conn, [named]) == [each for each in opened if each.id == named]
    assert await invoices.lock(conn, [], (5, 5)) == []


async def test_lock_waits_and_then_reads_what_was_committed(engine: Engine) -> None:
    async with write(engine) as conn:
        await open_shop(conn)
        opened = await open_invoice(conn, addresses={})
    holding, free = asyncio.Event(), asyncio.Event()

    async def change() -> None:
        async with write(engine) as conn:
            [held] = await invoices.lock(conn, [opened.id])
            holding.set()
            await free.wait()
            await invoices.save(conn, replace(held, updated_at=9))

    async def look() -> int:
        async with write(engine) as conn:
            [held] = await invoices.lock(conn, [opened.id])
            return held.updated_at

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(change())
        await holding.wait()
        looking = tasks.create_task(look())
        async with read(engine) as conn:  # a reader passes both
            seen = await invoices.get(conn, opened.id)
        assert not looking.done()
        free.set()
    assert seen == opened
    assert looking.result() == 9


async def test_the_timeline_keeps_its_order(conn: Conn) -> None:
    first, other = await open_many(conn, [10, 10])
    deposit = make_deposit(invoice_id=first.id)
    await deposits.add(conn, [deposit], 5)
    steps = [
        Moment(PAID, 5, Cause.DEPOSIT_CONFIRMED, deposit.id),
        Moment(EXPIRED, 5, Cause.DEADLINE_PASSED),
        Moment(PAID, 4, None),
    ]
    for step in steps:
        await invoices.note(conn, first.id, step)
    opened = Moment(InvoiceStatus.AWAITING_PAYMENT, 0, Cause.OPENED)
    assert await invoices.timeline(conn, [first.id, other.id, "inv_none"]) == {
        first.id: [opened, *steps],
        other.id: [opened],
        "inv_none": [],
    }


async def test_past_names_open_invoices_after_their_deadline(conn: Conn) -> None:
    awaiting, partial = InvoiceStatus.AWAITING_PAYMENT, InvoiceStatus.PARTIALLY_PAID
    standing = {"1": (99, awaiting), "2": (100, awaiting), "3": (99, PAID), "4": (50, partial)}
    for key, (deadline, status) in standing.items():
        await open_invoice(conn, key, expires_at=deadline, status=status, addresses={})
    late = [make_id("inv", key) for key in "14"]
    assert await invoices.past(conn, 100) == sorted(late)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [3, 2, 1, 0]),
        ({"status": PAID}, [2]),
        ({"external_id": "x"}, [3, 1]),
        ({"flag": Flag.WRONG_ASSET}, [2]),
        ({"created_after": 1, "created_before": 3}, [2, 1]),
        ({"after": 2}, [1, 0]),
        ({"limit": 2}, [3, 2]),
        ({"status": EXPIRED}, []),
    ],
)
async def test_invoices_are_listed_newest_first(
    conn: Conn, asked: dict[str, Any], found: list[int]
) -> None:
    ids = [f"inv_{number}" for number in range(4)]
    for number, id in enumerate(ids):
        await open_invoice(
            conn,
            id=id,
            created_at=number,
            addresses={},
            external_id="x" if number % 2 else None,
            status=PAID if number == 2 else InvoiceStatus.AWAITING_PAYMENT,
            flags=frozenset({Flag.WRONG_ASSET, Flag.LATE} if number == 2 else {Flag.LATE}),
        )
    if "after" in asked:
        asked = {"after": (asked["after"], ids[asked["after"]])}
    listed = await invoices.listing(conn, MERCHANT, **{"limit": 10, **asked})
    assert [invoice.id for invoice in listed] == [ids[number] for number in found]
    assert await invoices.listing(conn, "mer_none") == []


async def test_invoices_and_deposits_are_counted_by_status(conn: Conn) -> None:
    assert await invoices.counts(conn) == {}
    await open_many(conn, [10, 10])
    await open_invoice(conn, "9", status=PAID, addresses={})
    assert await invoices.counts(conn) == {"awaiting_payment": 2, "paid": 1}
    assert await deposits.counts(conn) == {}
    await deposits.add(conn, [make_deposit(invoice_id=make_id("inv", "9"))], 1)
    assert await deposits.counts(conn) == {"pending": 1}


async def test_new_deposits_come_back_exactly_and_only_once(conn: Conn) -> None:
    await open_invoice(conn)
    plain = make_deposit(2**256 - 1, required="finalized", sender=None)
    withdrawal = make_deposit(
        tx_hash=None, position="withdrawal/3", tx="w", accepted=Fraction(1, 3)
    )
    assert await deposits.add(conn, [plain, withdrawal], 5) == [(None, plain), (None, withdrawal)]
    assert await deposits.add(conn, [plain, withdrawal], 6) == []
    assert await deposits.add(conn, [], 6) == []
    assert await deposits.get(conn, MERCHANT, plain.id) == plain
    assert await deposits.get(conn, None, withdrawal.id) == withdrawal
    assert await deposits.get(conn, "mer_other", plain.id) is None
    assert await deposits.of_invoices(conn, [plain.invoice_id, "inv_none"]) == {
        plain.invoice_id: [plain, withdrawal],
        "inv_none": [],
    }


async def test_a_live_deposit_that_is_found_again_stays_as_it_is(conn: Conn) -> None:
    await open_invoice(conn)
    confirmed = make_deposit(status=CONFIRMED)
    await deposits.add(conn, [confirmed], 5)
    again = replace(confirmed, status=DepositStatus.PENDING, confirmed_at=None)
    assert await deposits.add(conn, [again], 6) == []
    assert await deposits.get(conn, None, confirmed.id) == confirmed


async def test_an_orphaned_deposit_is_revived_with_its_past(conn: Conn) -> None:
    await open_invoice(conn)
    found, other = make_deposit(tx="1"), make_deposit(tx="2")
    await deposits.add(conn, [found], 5)
    decided = replace(found, status=CONFIRMED, confirmed_at=6, accepted=Fraction(1, 7))
    [lost] = orphan([decided])
    await deposits.save(conn, [lost])
    await deposits.decide(conn, [lost])
    assert await deposits.in_block(conn, NETWORK, found.block_hash) == []

    revived = replace(lost, status=DepositStatus.PENDING, detected_at=9)
    assert revived.reverted
    assert await deposits.add(conn, [other, found], 9) == [(None, other), (lost, revived)]
    assert await deposits.get(conn, None, found.id) == revived


async def test_an_orphaned_deposit_is_revived_as_its_block_is_read_now(conn: Conn) -> None:
    await open_invoice(conn)
    told = make_deposit(units=60, accepted=Fraction(1, 7), accepted_by_hand=True)
    await deposits.add(conn, [told], 5)
    [lost] = orphan([told])
    await deposits.save(conn, [lost])

    found = make_deposit(units=100)
    assert found.id == told.id
    revived = replace(found, detected_at=9)  # and nothing is decided of so much
    assert await deposits.add(conn, [found], 9) == [(lost, revived)]
    assert await deposits.get(conn, None, found.id) == revived


async def test_what_the_chain_says_and_what_was_decided_do_not_undo_each_other(conn: Conn) -> None:
    await open_invoice(conn)
    found = make_deposit()
    await deposits.add(conn, [found], 5)
    decided = replace(found, accepted=Fraction(1, 3), accepted_by_hand=True)
    confirmed = replace(found, status=CONFIRMED, corroborated=True, confirmed_at=6)
    await deposits.decide(conn, [decided])
    await deposits.save(conn, [confirmed])  # read before the decision
    both = replace(confirmed, accepted=Fraction(1, 3), accepted_by_hand=True)
    assert await deposits.get(conn, None, found.id) == both
    await deposits.decide(conn, [replace(found, accepted=Fraction(2))])
    stored = await deposits.get(conn, None, found.id)
    assert stored == replace(confirmed, accepted=Fraction(2))


async def test_pending_deposits_come_by_block_and_then_as_found(conn: Conn) -> None:
    await open_invoice(conn)
    block = [make_deposit(tx=tx, ref=make_ref(7)) for tx in "3142"]
    below = make_deposit(tx="5", ref=make_ref(6))
    later = make_deposit(tx="0", ref=make_ref(7))  # what a rescan adds
    elsewhere = make_deposit(method=Method("tron:usdt"))
    await deposits.add(conn, block, 1)
    await deposits.add(conn, [below, make_deposit(tx="6", status=CONFIRMED), elsewhere], 1)
    await deposits.add(conn, [later], 1)
    assert await deposits.pending(conn, NETWORK) == [below, *block, later]
    await deposits.save(conn, orphan(block[:1]))
    assert await deposits.pending(conn, NETWORK) == [below, *block[1:], later]
    assert await deposits.in_block(conn, NETWORK, make_ref(7).hash) == [*block[1:], later]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, "dcba"),
        ({"network": Network("tron")}, "d"),
        ({"status": CONFIRMED}, "b"),
        ({"address": make_address(5)}, "c"),
        ({"tx_hash": make_hash("txa")}, "a"),
        ({"invoice_id": make_id("inv")}, "dcba"),
        ({"invoice_id": "inv_none"}, ""),
        ({"after": "dep_c"}, "ba"),
        ({"limit": 1}, "d"),
        ({"network": NETWORK, "status": DepositStatus.PENDING}, "ca"),
    ],
)
async def test_deposits_are_listed_newest_first(
    conn: Conn, asked: dict[str, Any], found: str
) -> None:
    await open_invoice(conn)
    stored: list[Deposit] = [
        make_deposit(id="dep_a", tx="a"),
        make_deposit(id="dep_b", tx="b", status=CONFIRMED),
        make_deposit(id="dep_c", tx="c", address=make_address(5)),
        make_deposit(id="dep_d", tx="d", method=Method("tron:usdt")),
    ]
    await deposits.add(conn, stored, 1)
    listed = await deposits.listing(conn, MERCHANT, **{"limit": 10, **asked})
    assert "".join(deposit.id[-1] for deposit in listed) == found
    assert await deposits.listing(conn, "mer_none", limit=10) == []


def make_event(merchant_id: str = MERCHANT, kind: EventType = EventType.INVOICE_PAID) -> Event:
    return Event(kind, merchant_id, make_id("inv"))


async def test_events_are_numbered_per_merchant_and_read_after_a_number(conn: Conn) -> None:
    await merchants.add(conn, Merchant("mer_A", "Other", 0))
    await open_invoice(conn)
    await deposits.add(conn, [make_deposit()], 1)
    detected = replace(make_event(kind=EventType.DEPOSIT_DETECTED), deposit_id=make_deposit().id)
    await events.append(conn, [(detected, {"n": 1}), (make_event("mer_A"), {"n": 2})], 5)
    await events.append(conn, [(make_event(), {"n": 2**70})], 6)
    await events.append(conn, [], 7)
    first, second = await events.after(conn, MERCHANT, 0, 10)
    assert (first.seq, first.type, first.deposit_id) == (1, detected.type, detected.deposit_id)
    assert (second.seq, second.data, second.created_at) == (2, {"n": 2**70}, 6)
    assert await events.after(conn, MERCHANT, 1, 10) == [second]
    assert await events.after(conn, MERCHANT, 0, 1) == [first]
    assert [await events.newest(conn, id) for id in (MERCHANT, "mer_A")] == [2, 1]
    assert (
        len({event.id for event in (first, second, *await events.after(conn, "mer_A", 0, 9))}) == 3
    )


async def test_numbers_have_no_gap_whoever_appends_and_whoever_fails(engine: Engine) -> None:
    async with write(engine) as conn:
        await open_shop(conn)
        await merchants.add(conn, Merchant("mer_A", "Other", 0))
        await open_invoice(conn)

    async def append_many(writer: int) -> None:
        for number in range(6):
            try:
                async with write(engine) as conn:
                    told = [(make_event(), {"by": writer}), (make_event("mer_A"), {})]
                    await events.append(conn, told if writer % 2 else told[::-1], 5)
                    if number == writer:
                        raise LookupError
            except LookupError:
                continue

    await asyncio.gather(*(append_many(writer) for writer in range(4)))
    async with read(engine) as conn:
        for merchant_id in (MERCHANT, "mer_A"):
            log = await events.after(conn, merchant_id, 0, 100)
            assert [event.seq for event in log] == list(range(1, 21))
            assert await events.newest(conn, merchant_id) == 20
