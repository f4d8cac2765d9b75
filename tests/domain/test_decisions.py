"""Money that a decision lets count: late, of another coin, or too little."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest

from tests.factories import make_deposit, make_invoice
from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.invoices import Flag, InvoiceStatus, accept_late, evaluate
from watcher.domain.money import Method

PENDING, CONFIRMED, ORPHANED = DepositStatus
AWAITING, PARTIAL, CONFIRMING, PAID, UNDERPAID, EXPIRED, CANCELLED = InvoiceStatus
OVERPAID, LATE, WRONG_ASSET, REORGED, MANUAL = Flag
DAI = Method("polygon:dai")


def verdict(deposits: Sequence[Deposit], time: int = 950) -> tuple[InvoiceStatus, set[Flag]]:
    """Status and flags of an invoice over 100 units."""
    after = evaluate(make_invoice(100), deposits, time)
    return after.status, set(after.flags)


@pytest.mark.parametrize(
    ("facts", "flags"),
    [
        pytest.param({"time": 1001}, {LATE}, id="late"),
        pytest.param({"method": DAI}, {WRONG_ASSET}, id="wrong asset"),
        pytest.param({"below_minimum": True}, set(), id="below minimum"),
    ],
)
@pytest.mark.parametrize(
    ("part", "status", "verdict_of"),
    [
        (None, CONFIRMED, EXPIRED),
        (Fraction(1), CONFIRMED, PAID),
        (Fraction(1), PENDING, CONFIRMING),
        (Fraction(1), ORPHANED, EXPIRED),
        (Fraction(99, 100), CONFIRMED, UNDERPAID),
        (Fraction(99, 100), PENDING, PARTIAL),
        (Fraction(0), CONFIRMED, EXPIRED),
    ],
)
def test_what_does_not_count_counts_once_accepted_for_what_was_decided(
    facts: dict[str, Any],
    flags: set[Flag],
    part: Fraction | None,
    status: DepositStatus,
    verdict_of: InvoiceStatus,
) -> None:
    found = make_deposit(100, status=status, accepted=part, **facts)
    shown = set() if status is ORPHANED else flags
    assert verdict([found], 1010) == (verdict_of, shown)


def test_accepted_money_adds_to_what_counts_by_itself() -> None:
    found = [
        make_deposit(50, status=CONFIRMED),
        make_deposit(7, method=DAI, status=CONFIRMED, accepted=Fraction(1, 2)),
    ]
    assert verdict(found) == (PAID, {WRONG_ASSET})


def test_a_decision_replaces_the_value_by_the_quote() -> None:
    after = evaluate(make_invoice(100), [make_deposit(99, accepted=Fraction(1))], 950)
    assert after.seen == 1


def test_accepted_too_much_is_overpaid() -> None:
    found = [make_deposit(1, 1001, CONFIRMED, accepted=Fraction(2))]
    assert verdict(found, 1010) == (PAID, {OVERPAID, LATE})


@pytest.mark.parametrize(
    ("status", "by_hand", "flags"),
    [
        (CONFIRMED, True, {MANUAL}),
        (PENDING, True, {MANUAL}),
        (ORPHANED, True, set()),
        (CONFIRMED, False, set()),
    ],
)
def test_manual_is_money_accepted_by_hand_that_is_there(
    status: DepositStatus, by_hand: bool, flags: set[Flag]
) -> None:
    found = make_deposit(100, status=status, accepted=Fraction(1), accepted_by_hand=by_hand)
    assert verdict([found])[1] == flags


@pytest.mark.parametrize(
    ("facts", "part"),
    [
        pytest.param({"time": 1001}, Fraction(1, 2), id="late"),
        pytest.param({"time": 1001, "status": ORPHANED}, Fraction(1, 2), id="late and gone"),
        pytest.param({"time": 1000}, None, id="in time"),
        pytest.param({"time": 1001, "method": DAI}, None, id="late and of another coin"),
        pytest.param({"time": 1001, "below_minimum": True}, None, id="late and too little"),
        pytest.param({"time": 1001, "accepted": Fraction(1)}, Fraction(1), id="decided before"),
    ],
)
def test_by_policy_only_what_is_merely_late_is_accepted_at_its_quote(
    facts: dict[str, Any], part: Fraction | None
) -> None:
    after = accept_late(make_invoice(200), make_deposit(100, **facts))
    assert (after.accepted, after.accepted_by_hand) == (part, False)


def test_money_after_a_cancellation_waits_for_a_person() -> None:
    late = make_deposit(100, 501)
    assert accept_late(make_invoice(cancelled_at=500), late) == late


@pytest.mark.parametrize(
    ("rows", "time", "status"),
    [
        ([(60, CONFIRMED)], 950, PAID),
        ([(60, CONFIRMED)], 1001, PAID),
        ([(60, PENDING)], 1001, CONFIRMING),
        ([(59, CONFIRMED)], 950, PARTIAL),
        ([(59, CONFIRMED)], 1001, UNDERPAID),
        ([(40, CONFIRMED), (20, PENDING)], 1001, CONFIRMING),
        ([(60, ORPHANED)], 950, AWAITING),
        ([(60, ORPHANED)], 1001, EXPIRED),
        ([(100, CONFIRMED)], 950, PAID),
    ],
)
def test_what_was_taken_for_the_whole_is_enough_once_confirmed_and_while_it_is_there(
    rows: Sequence[tuple[int, DepositStatus]], time: int, status: InvoiceStatus
) -> None:
    found = [make_deposit(units, status=each, tx=str(i)) for i, (units, each) in enumerate(rows)]
    after = evaluate(make_invoice(100, settled_for=Fraction(3, 5)), found, time)
    assert (after.status, after.flags) == (status, {MANUAL})


def test_what_was_taken_for_the_whole_does_not_make_the_price_overpaid() -> None:
    invoice = make_invoice(100, settled_for=Fraction(1, 10))
    assert OVERPAID not in evaluate(invoice, [make_deposit(100, status=CONFIRMED)], 950).flags
    assert OVERPAID in evaluate(invoice, [make_deposit(101, status=CONFIRMED)], 950).flags


def test_taking_more_than_is_due_makes_nothing_dearer() -> None:
    invoice = make_invoice(100, settled_for=Fraction(2), tolerance_percent="10")
    assert invoice.enough == Fraction(9, 10)


@pytest.mark.parametrize(
    ("facts", "count"),
    [
        pytest.param({}, 0, id="it counts"),
        pytest.param({"method": DAI}, 1, id="not offered"),
        pytest.param({"method": DAI, "accepted": Fraction(1)}, 0, id="accepted"),
        pytest.param({"time": 1000}, 0, id="in the last second"),
        pytest.param({"time": 1001}, 1, id="late"),
        pytest.param({"below_minimum": True}, 1, id="too small"),
        pytest.param({"time": 1001, "status": ORPHANED}, 0, id="orphaned"),
        pytest.param({"time": 1001, "status": CONFIRMED}, 1, id="late, confirmed"),
        pytest.param({"time": 1001, "method": DAI, "below_minimum": True}, 1, id="each once"),
    ],
)
def test_what_counts_for_nothing_awaits_a_decision(facts: dict[str, Any], count: int) -> None:
    found = [make_deposit(**facts), make_deposit(tx="2")]
    assert evaluate(make_invoice(), found, 950).unmatched == count


@pytest.mark.parametrize(("time", "count"), [(4100, 0), (4099, 1)])
def test_what_is_older_than_its_invoice_awaits_a_decision(time: int, count: int) -> None:
    invoice = make_invoice(created_at=5000, expires_at=9000)
    assert evaluate(invoice, [make_deposit(time=time)], 5000).unmatched == count
