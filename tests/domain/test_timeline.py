"""Why an invoice reached a status: by a deposit that counts, else by its time."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest

from tests.factories import make_deposit, make_invoice
from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.invoices import InvoiceStatus
from watcher.domain.money import Method
from watcher.domain.timeline import Cause, Moment, moment_of

PENDING, CONFIRMED, ORPHANED = DepositStatus
AWAITING, PARTIAL, CONFIRMING, PAID, UNDERPAID, EXPIRED, CANCELLED = InvoiceStatus
DAI = Method("polygon:dai")
NOW = 7000

FOUND = make_deposit(tx="found")
SURE = make_deposit(tx="sure", status=CONFIRMED)
GONE = make_deposit(tx="gone", status=ORPHANED)
STRANGE = make_deposit(tx="strange", method=DAI)
ACCEPTED = make_deposit(tx="accepted", method=DAI, accepted=Fraction(1))


@pytest.mark.parametrize(
    ("status", "changed", "cause", "deposit"),
    [
        (CONFIRMING, [FOUND], Cause.DEPOSIT_DETECTED, FOUND),
        (PARTIAL, [FOUND], Cause.DEPOSIT_DETECTED, FOUND),
        (PAID, [SURE], Cause.DEPOSIT_CONFIRMED, SURE),
        (UNDERPAID, [SURE], Cause.DEPOSIT_CONFIRMED, SURE),
        (UNDERPAID, [GONE], Cause.DEPOSIT_ORPHANED, GONE),
        (AWAITING, [GONE], Cause.DEPOSIT_ORPHANED, GONE),
        (EXPIRED, [GONE], Cause.DEPOSIT_ORPHANED, GONE),
        (CANCELLED, [GONE], Cause.DEPOSIT_ORPHANED, GONE),
        (EXPIRED, [], Cause.DEADLINE_PASSED, None),
        (UNDERPAID, [], Cause.DEADLINE_PASSED, None),
        (AWAITING, [], Cause.DEADLINE_AHEAD, None),
        (PARTIAL, [], Cause.DEADLINE_AHEAD, None),
        # of several the last that fits
        (CONFIRMING, [GONE, FOUND], Cause.DEPOSIT_DETECTED, FOUND),
        (CONFIRMING, [FOUND, SURE], Cause.DEPOSIT_DETECTED, FOUND),
        (PAID, [SURE, FOUND], Cause.DEPOSIT_CONFIRMED, SURE),
        (CONFIRMING, [SURE], Cause.DEPOSIT_CONFIRMED, SURE),
        # what does not count moves nothing
        (EXPIRED, [STRANGE], Cause.DEADLINE_PASSED, None),
        (CONFIRMING, [FOUND, STRANGE], Cause.DEPOSIT_DETECTED, FOUND),
        (CONFIRMING, [ACCEPTED], Cause.DEPOSIT_DETECTED, ACCEPTED),
    ],
)
def test_what_moved_an_invoice(
    status: InvoiceStatus, changed: Sequence[Deposit], cause: Cause, deposit: Deposit | None
) -> None:
    expected = Moment(status, NOW, cause, deposit.id if deposit else None)
    assert moment_of(make_invoice(status=status), changed, NOW) == expected
