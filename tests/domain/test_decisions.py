"""Money that a decision lets count: late, of another coin, or too little."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest

from tests.factories import make_deposit, make_invoice
from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.invoices import Flag, InvoiceStatus, evaluate
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
