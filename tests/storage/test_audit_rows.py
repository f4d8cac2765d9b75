"""What the audit keeps: measures, findings, runs; and who runs a chore."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import insert

from storage import (
    Conn,
    Engine,
    chores,
    deposits,
    findings,
    holdings,
    invoices,
    repeat,
    schema,
    write,
)
from storage.holdings import Run
from tests.factories import (
    ADDRESS,
    FAMILY,
    METHOD,
    NETWORK,
    make_deposit,
    make_finding,
    make_id,
)
from tests.storage.books import make_address, open_invoice, open_shop
from watcher.domain.audit import FindingKind, FindingState, Measure
from watcher.domain.deposits import DepositStatus
from watcher.domain.invoices import InvoiceStatus
from watcher.domain.money import Method, Network

LONG_PAST, SINCE = 1000, 10_000
OTHER = Network("tron")


@pytest.fixture
async def conn(engine: Engine) -> AsyncIterator[Conn]:
    async with write(engine) as opened:
        await open_shop(opened)
        yield opened


async def invoice(
    conn: Conn, number: int, status: InvoiceStatus, expires_at: int = LONG_PAST
) -> None:
    """An invoice of this status whose address is `make_address(number)`."""
    facts = {"addresses": {FAMILY: make_address(number)}, "expires_at": expires_at}
    opened = await open_invoice(conn, str(number), number, **facts)
    await invoices.save(conn, replace(opened, status=status))


async def test_open_and_newly_closed_invoices_are_audited_first(conn: Conn) -> None:
    await invoice(conn, 1, InvoiceStatus.AWAITING_PAYMENT)
    await invoice(conn, 2, InvoiceStatus.PAID)
    await invoice(conn, 3, InvoiceStatus.EXPIRED, expires_at=SINCE)
    assert await holdings.urgent(conn, NETWORK, FAMILY, SINCE) == [
        make_address(1),
        make_address(3),
    ]


async def test_who_waits_longest_is_audited_first(conn: Conn) -> None:
    for number in (1, 2, 3):
        await invoice(conn, number, InvoiceStatus.CONFIRMING)
    await holdings.put(conn, NETWORK, {make_address(1): {}}, 500)
    await holdings.put(conn, NETWORK, {make_address(2): {}}, 400)
    await holdings.put(conn, OTHER, {make_address(3): {}}, 900)
    urgent = await holdings.urgent(conn, NETWORK, FAMILY, SINCE)
    assert urgent == [make_address(3), make_address(2), make_address(1)]


async def test_an_address_with_an_open_finding_is_audited_first(conn: Conn) -> None:
    for number in (1, 2):
        await invoice(conn, number, InvoiceStatus.PAID)
    closed = {"address": make_address(2), "state": FindingState.RESOLVED, "key": "2"}
    await findings.add(conn, [make_finding(address=make_address(1)), make_finding(**closed)])
    assert await holdings.urgent(conn, NETWORK, FAMILY, SINCE) == [make_address(1)]


async def test_all_others_come_in_turn(conn: Conn) -> None:
    for number in (1, 2, 3):
        await invoice(conn, number, InvoiceStatus.PAID)
    first = await holdings.others(conn, FAMILY, None, 2)
    assert first == [make_address(1), make_address(2)]
    assert await holdings.others(conn, FAMILY, first[-1], 2) == [make_address(3)]


async def test_measures_are_kept_per_network_and_replaced(conn: Conn) -> None:
    huge = Measure(5, 6, 2**256 - 1, ((3, 2**200), (5, 1)))
    await holdings.put(conn, NETWORK, {ADDRESS: {METHOD: Measure(1, 1, 1, ((1, 1),))}}, 10)
    await holdings.put(conn, NETWORK, {ADDRESS: {METHOD: huge}}, 20)
    assert await holdings.get(conn, NETWORK, [ADDRESS, make_address(1)]) == {
        ADDRESS: {METHOD: huge}
    }
    assert await holdings.get(conn, OTHER, [ADDRESS]) == {}


async def test_a_measure_of_an_earlier_version_has_its_sum_of_no_known_block(conn: Conn) -> None:
    row = {"network": NETWORK, "address": ADDRESS, "at": 10, "measures": {METHOD: [1, 2, 9, 7]}}
    await conn.execute(insert(schema.holdings), [row])
    [measure] = (await holdings.get(conn, NETWORK, [ADDRESS]))[ADDRESS].values()
    assert measure == Measure(1, 2, 9, ((None, 7),))
    assert measure.ledger == 7


async def test_what_arrived_leaves_out_orphans_and_other_networks(conn: Conn) -> None:
    await open_invoice(conn)
    pol = Method("polygon:pol")
    found = [
        make_deposit(5, 100, DepositStatus.CONFIRMED, tx="1"),
        make_deposit(7, 200, tx="2"),
        make_deposit(9, 200, method=pol, tx="3"),
        make_deposit(100, 200, DepositStatus.ORPHANED, tx="4"),
        make_deposit(100, 200, method=Method("ethereum:usdc"), tx="5"),
    ]
    await deposits.add(conn, found, 0)
    arrived = await holdings.arrivals(conn, NETWORK, [ADDRESS])
    assert {key: sorted(units) for key, units in arrived.items()} == {
        (ADDRESS, METHOD): [(10, 5), (20, 7)],
        (ADDRESS, pol): [(20, 9)],
    }


async def test_findings_are_listed_counted_and_closed(conn: Conn) -> None:
    first, second = make_finding(units=2**255), make_finding(FindingKind.UNCLEAR, key="2")
    await findings.add(conn, [first, second])
    assert await findings.open_count(conn) == 2
    closed = replace(first, state=FindingState.DISMISSED, closed_at=5)
    await findings.save(conn, [closed])
    assert await findings.get(conn, first.id) == closed
    assert await findings.get(conn, make_id("fnd", "9")) is None
    assert await findings.open_count(conn) == 1
    assert await findings.listing(conn) == [second, closed]
    assert await findings.listing(conn, limit=1) == [second]
    assert await findings.listing(conn, after=second.id) == [closed]
    assert await findings.listing(conn, state=FindingState.OPEN) == [second]
    assert await findings.listing(conn, network=OTHER) == []
    assert await findings.of_addresses(conn, NETWORK, [ADDRESS]) == [closed, second]
    assert await findings.of_addresses(conn, OTHER, [ADDRESS]) == []


async def test_the_newest_run_of_a_network_is_kept(conn: Conn) -> None:
    assert await holdings.last_runs(conn) == {}
    await holdings.note_run(conn, NETWORK, Run(5, None, 0, "the node is away", None))
    run = Run(9, 100, 3, None, ADDRESS)
    await holdings.note_run(conn, NETWORK, run)
    assert await holdings.last_runs(conn) == {NETWORK: run}


async def test_a_chore_is_claimed_once_until_it_is_due_again(conn: Conn) -> None:
    assert await chores.claim(conn, "audit", 900)
    assert not await chores.claim(conn, "audit", 900)
    assert await chores.claim(conn, "other", 0)
    assert await chores.claim(conn, "other", 0)


async def test_a_failed_run_is_counted_and_a_good_one_forgives(conn: Conn) -> None:
    await chores.claim(conn, "audit", 900)
    await chores.failed(conn, "audit", "no node")
    [course] = await chores.courses(conn)
    assert (course.last_ok, course.last_error, course.failures) == (None, "no node", 1)
    await chores.succeeded(conn, "audit")
    [course] = await chores.courses(conn)
    assert course.last_ok is not None
    assert (course.last_error, course.failures) == (None, 1)
    assert course.next_run == pytest.approx(course.last_ok + 900, abs=60)


async def test_of_many_at_once_one_claims_a_chore(engine: Engine) -> None:
    async def claim() -> bool:
        return await repeat(engine, lambda conn: chores.claim(conn, "audit", 900))

    assert sorted(await asyncio.gather(*(claim() for _ in range(5)))) == [False] * 4 + [True]
