"""The payment rules: every row of the table of statuses, with its edges.

A deposit is written as (units, block time, status[, method]); 100 units are due by second 1000.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from tests.factories import make_deposit, make_invoice, make_quote
from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.invoices import Flag, InvoiceStatus, evaluate
from watcher.domain.money import Method

PENDING, CONFIRMED, ORPHANED = DepositStatus
AWAITING, PARTIAL, CONFIRMING, PAID, UNDERPAID, EXPIRED, CANCELLED = InvoiceStatus
OVERPAID, LATE, WRONG_ASSET, REORGED, MANUAL = Flag
DAI = Method("polygon:dai")
USDC, USDT, POL = Method("polygon:usdc"), Method("tron:usdt"), Method("polygon:pol")

Row = tuple[Any, ...]


def deposits_of(rows: Sequence[Row]) -> list[Deposit]:
    return [make_deposit(*row, tx=str(index)) for index, row in enumerate(rows)]


def verdict(
    deposits: Sequence[Deposit], time: int = 950, **facts: Any
) -> tuple[InvoiceStatus, set[Flag]]:
    """Status and flags of an invoice over 100 units with `facts`."""
    after = evaluate(make_invoice(100, **facts), deposits, time)
    return after.status, set(after.flags)


@pytest.mark.parametrize(
    ("rows", "time", "status", "flags"),
    [
        # paid: confirmed >= due
        ([(100, 900, CONFIRMED)], 950, PAID, set()),
        ([(100, 900, CONFIRMED)], 9999, PAID, set()),
        ([(100, 1000, CONFIRMED)], 1001, PAID, set()),
        ([(99, 900, CONFIRMED), (1, 1000, CONFIRMED)], 1001, PAID, set()),
        ([(100, 900, CONFIRMED), (50, 910, PENDING)], 950, PAID, set()),
        ([(101, 900, CONFIRMED)], 950, PAID, {OVERPAID}),
        ([(100, 900, CONFIRMED), (1, 910, CONFIRMED)], 950, PAID, {OVERPAID}),
        # confirming: seen >= due
        ([(100, 900, PENDING)], 950, CONFIRMING, set()),
        ([(100, 900, PENDING)], 9999, CONFIRMING, set()),
        ([(100, 1000, PENDING)], 1001, CONFIRMING, set()),
        ([(500, 900, PENDING)], 950, CONFIRMING, set()),
        ([(99, 900, CONFIRMED), (1, 1000, PENDING)], 1001, CONFIRMING, set()),
        ([(99, 900, CONFIRMED), (2, 900, PENDING)], 950, CONFIRMING, set()),
        # partially paid: seen > 0, and time or depth still to come
        ([(1, 900, PENDING)], 950, PARTIAL, set()),
        ([(99, 900, PENDING)], 950, PARTIAL, set()),
        ([(99, 900, CONFIRMED)], 950, PARTIAL, set()),
        ([(99, 900, CONFIRMED)], 1000, PARTIAL, set()),
        ([(99, 900, PENDING)], 1001, PARTIAL, set()),
        ([(98, 900, CONFIRMED), (1, 900, PENDING)], 9999, PARTIAL, set()),
        # underpaid: past the deadline, and all of it confirmed
        ([(99, 900, CONFIRMED)], 1001, UNDERPAID, set()),
        ([(1, 1000, CONFIRMED)], 1001, UNDERPAID, set()),
        ([(98, 900, CONFIRMED), (1, 900, ORPHANED)], 1001, UNDERPAID, set()),
        # nothing that counts
        ([], 0, AWAITING, set()),
        ([], 1000, AWAITING, set()),
        ([], 1001, EXPIRED, set()),
        ([(100, 900, ORPHANED)], 950, AWAITING, set()),
        ([(100, 900, ORPHANED)], 1001, EXPIRED, set()),
        # too late, by one second of the block
        ([(100, 1001, PENDING)], 1001, EXPIRED, {LATE}),
        ([(100, 1001, CONFIRMED)], 1010, EXPIRED, {LATE}),
        ([(100, 1001, CONFIRMED)], 950, AWAITING, {LATE}),
        ([(100, 1001, ORPHANED)], 1010, EXPIRED, set()),
        ([(99, 900, CONFIRMED), (1, 1001, CONFIRMED)], 1010, UNDERPAID, {LATE}),
        ([(99, 900, CONFIRMED), (1, 1001, PENDING)], 1010, UNDERPAID, {LATE}),
        ([(100, 900, CONFIRMED), (100, 1001, CONFIRMED)], 1010, PAID, {LATE}),
        # a coin that was not offered
        ([(100, 900, CONFIRMED, DAI)], 950, AWAITING, {WRONG_ASSET}),
        ([(100, 900, PENDING, DAI)], 1001, EXPIRED, {WRONG_ASSET}),
        ([(100, 900, ORPHANED, DAI)], 950, AWAITING, set()),
        ([(100, 900, PENDING), (100, 900, CONFIRMED, DAI)], 950, CONFIRMING, {WRONG_ASSET}),
        ([(100, 1001, CONFIRMED, DAI)], 1010, EXPIRED, {LATE, WRONG_ASSET}),
    ],
)
def test_the_table_of_statuses(
    rows: Sequence[Row], time: int, status: InvoiceStatus, flags: set[Flag]
) -> None:
    assert verdict(deposits_of(rows), time) == (status, flags)


@pytest.mark.parametrize(
    ("units", "deposit", "status", "flags"),
    [
        (9950, CONFIRMED, PAID, set()),
        (9949, CONFIRMED, PARTIAL, set()),
        (9950, PENDING, CONFIRMING, set()),
        (9949, PENDING, PARTIAL, set()),
        (10000, CONFIRMED, PAID, set()),
        (10050, CONFIRMED, PAID, set()),
        (10051, CONFIRMED, PAID, {OVERPAID}),
        (10051, PENDING, CONFIRMING, set()),
    ],
)
def test_a_tolerance_of_half_a_percent_reaches_both_ways(
    units: int, deposit: DepositStatus, status: InvoiceStatus, flags: set[Flag]
) -> None:
    quotes = [make_quote(10_000)]
    found = [make_deposit(units, status=deposit)]
    assert verdict(found, quotes=quotes, tolerance_percent="0.5") == (status, flags)


THIRDS = [make_quote(3, USDC), make_quote(3 * 10**18, POL), make_quote(3_000_000, USDT)]
A_THIRD_OF_EACH = [
    make_deposit(1, method=USDC, status=CONFIRMED),
    make_deposit(10**18, method=POL, status=CONFIRMED),
    make_deposit(1_000_000, method=USDT, status=CONFIRMED),
]


def test_three_thirds_in_three_methods_are_exactly_the_price() -> None:
    after = evaluate(make_invoice(quotes=THIRDS), A_THIRD_OF_EACH, 950)
    assert after.seen == after.confirmed == Fraction(1)
    assert (after.status, after.flags) == (PAID, frozenset())


def test_three_thirds_less_one_unit_are_not_the_price() -> None:
    almost = [*A_THIRD_OF_EACH[:1], make_deposit(10**18 - 1, method=POL), *A_THIRD_OF_EACH[2:]]
    assert verdict(almost, quotes=THIRDS) == (PARTIAL, set())


def test_a_part_in_each_method_counts_by_what_is_due_in_it() -> None:
    quotes = [make_quote(100, USDC), make_quote(400, POL)]
    found = [make_deposit(50, method=USDC, status=CONFIRMED), make_deposit(100, method=POL)]
    after = evaluate(make_invoice(quotes=quotes), found, 950)
    assert (after.seen, after.confirmed) == (Fraction(3, 4), Fraction(1, 2))


def test_any_offered_method_counts_whichever_is_selected() -> None:
    quotes = [make_quote(100, USDC), make_quote(400, POL)]
    found = [make_deposit(400, method=POL)]
    assert verdict(found, quotes=quotes, selected=USDC) == (CONFIRMING, set())


@pytest.mark.parametrize(
    ("rows", "time", "status", "flags"),
    [  # cancelled at second 500
        ([], 400, CANCELLED, set()),
        ([], 1001, CANCELLED, set()),
        ([(100, 500, ORPHANED)], 600, CANCELLED, set()),
        ([(100, 501, PENDING)], 600, CANCELLED, {LATE}),
        ([(100, 501, CONFIRMED)], 1001, CANCELLED, {LATE}),
        ([(100, 500, PENDING)], 600, CONFIRMING, set()),
        ([(100, 500, CONFIRMED)], 600, PAID, set()),
        ([(99, 500, PENDING)], 600, PARTIAL, set()),
        ([(99, 500, CONFIRMED)], 500, PARTIAL, set()),
        ([(99, 500, CONFIRMED)], 501, UNDERPAID, set()),
        ([(99, 500, CONFIRMED), (1, 501, CONFIRMED)], 501, UNDERPAID, {LATE}),
        ([(99, 500, CONFIRMED, DAI)], 501, CANCELLED, {WRONG_ASSET}),
    ],
)
def test_a_cancelled_invoice_takes_what_was_mined_before(
    rows: Sequence[Row], time: int, status: InvoiceStatus, flags: set[Flag]
) -> None:
    assert verdict(deposits_of(rows), time, cancelled_at=500) == (status, flags)


@pytest.mark.parametrize(
    ("cancelled_at", "deadline"), [(None, 1000), (999, 999), (1000, 1000), (2000, 1000)]
)
def test_the_deadline_is_the_earlier_of_expiry_and_cancellation(
    cancelled_at: int | None, deadline: int
) -> None:
    assert make_invoice(cancelled_at=cancelled_at).deadline == deadline


def test_cancelling_after_expiry_prolongs_nothing() -> None:
    after = verdict([make_deposit(100, 1001)], 1500, cancelled_at=2000)
    assert after == (CANCELLED, {LATE})


@pytest.mark.parametrize("status", [PENDING, CONFIRMED])
def test_dust_is_recorded_and_counts_for_nothing(status: DepositStatus) -> None:
    dust = make_deposit(100, status=status, below_minimum=True)
    assert verdict([dust], 950) == (AWAITING, set())
    assert verdict([dust], 1001) == (EXPIRED, set())


def test_reorged_stays_when_the_money_comes_again() -> None:
    gone = make_deposit(100, status=ORPHANED, reverted=True)
    assert verdict([gone], 950) == (AWAITING, {REORGED})
    again = make_deposit(100, 910, CONFIRMED)
    assert verdict([gone, again], 950) == (PAID, {REORGED})


@pytest.mark.parametrize("status", DepositStatus)
def test_reorged_stays_with_a_deposit_whose_block_came_back(status: DepositStatus) -> None:
    assert REORGED in verdict([make_deposit(status=status, reverted=True)])[1]


def test_a_pending_deposit_orphaned_is_not_reorged() -> None:
    assert verdict([make_deposit(status=ORPHANED)])[1] == set()


@pytest.mark.parametrize(
    ("orphaned", "status"),
    [({0}, PARTIAL), ({1}, PARTIAL), ({0, 1}, AWAITING), (set(), PAID)],
)
def test_money_reorganised_away_gives_what_the_facts_say(
    orphaned: set[int], status: InvoiceStatus
) -> None:
    found = [
        make_deposit(50, status=ORPHANED if index in orphaned else CONFIRMED) for index in (0, 1)
    ]
    paid = replace(make_invoice(100), status=PAID, seen=Fraction(1), confirmed=Fraction(1))
    assert evaluate(paid, found, 950).status is status


def test_time_may_step_back_and_undo_an_expiry() -> None:
    expired = evaluate(make_invoice(), [], 1001)
    assert expired.status is EXPIRED
    assert evaluate(expired, [], 1000).status is AWAITING


def test_nothing_expires_while_time_is_unknown() -> None:
    assert verdict([], 0) == (AWAITING, set())
    assert verdict([make_deposit(99, status=CONFIRMED)], 0) == (PARTIAL, set())


def test_evaluate_touches_only_its_verdict() -> None:
    before = make_invoice(
        100, selected=USDC, cancelled_at=2000, external_id="8821", updated_at=7, paid_at=8
    )
    after = evaluate(before, [make_deposit(101, status=CONFIRMED)], 950)
    assert after == replace(
        before,
        status=PAID,
        flags=frozenset({OVERPAID}),
        seen=Fraction(101, 100),
        confirmed=Fraction(101, 100),
    )
