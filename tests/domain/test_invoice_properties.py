"""What holds for the payment rules whatever was paid, when and how."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.factories import make_deposit, make_invoice, make_quote
from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.invoices import Flag, Invoice, InvoiceStatus, evaluate, why_not
from watcher.domain.money import Method

STEADY = settings(derandomize=True, max_examples=200, deadline=None)
DUE = {Method("polygon:usdc"): 7, Method("tron:usdt"): 30}
UNOFFERED = Method("polygon:dai")
NOTHING_SEEN = {InvoiceStatus.AWAITING_PAYMENT, InvoiceStatus.EXPIRED, InvoiceStatus.CANCELLED}
RANKS = dict.fromkeys(NOTHING_SEEN, 0) | {
    InvoiceStatus.PARTIALLY_PAID: 1,
    InvoiceStatus.UNDERPAID: 1,
    InvoiceStatus.CONFIRMING: 2,
    InvoiceStatus.PAID: 3,
}

times = st.sampled_from([0, 499, 500, 501, 999, 1000, 1001, 2000])
parts = st.builds(Fraction, st.integers(0, 12), st.integers(1, 12))
deposits = st.builds(
    make_deposit,
    units=st.integers(1, 40),
    time=times,
    status=st.sampled_from(DepositStatus),
    method=st.sampled_from([*DUE, UNOFFERED]),
    below_minimum=st.integers(0, 5).map(lambda die: die == 0),
    accepted=st.none() | parts,
    accepted_by_hand=st.booleans(),
    reverted=st.booleans(),
)
histories = st.lists(deposits, max_size=5)
shuffled = histories.flatmap(lambda paid: st.tuples(st.just(paid), st.permutations(paid)))
invoices = st.builds(
    make_invoice,
    quotes=st.just([make_quote(units, method) for method, units in DUE.items()]),
    cancelled_at=st.none() | times.filter(bool),
    tolerance_percent=st.sampled_from(["0", "0.5", "10"]),
)
lived = st.fixed_dictionaries(
    {
        "status": st.sampled_from(InvoiceStatus),
        "flags": st.frozensets(st.sampled_from(Flag)),
        "seen": parts,
        "confirmed": parts,
    }
)


def rank(invoice: Invoice) -> int:
    """How well it is paid, from nothing seen (0) to paid (3)."""
    return RANKS[invoice.status]


@STEADY
@given(invoices, histories, times, lived)
def test_evaluate_forgets_the_past(
    invoice: Invoice, paid: list[Deposit], time: int, past: dict[str, Any]
) -> None:
    before = replace(invoice, **past)
    assert evaluate(before, paid, time) == evaluate(invoice, paid, time)


@STEADY
@given(invoices, shuffled, times)
def test_the_order_of_deposits_is_no_fact(
    invoice: Invoice, orders: tuple[list[Deposit], list[Deposit]], time: int
) -> None:
    one, other = orders
    assert evaluate(invoice, one, time) == evaluate(invoice, other, time)


@STEADY
@given(invoices, histories, times, deposits)
def test_one_more_deposit_never_leaves_it_less_paid(
    invoice: Invoice, paid: list[Deposit], time: int, more: Deposit
) -> None:
    before, after = evaluate(invoice, paid, time), evaluate(invoice, [*paid, more], time)
    assert rank(after) >= rank(before)
    assert (after.seen, after.confirmed) >= (before.seen, before.confirmed)
    assert after.flags >= before.flags


@STEADY
@given(invoices, histories, times)
def test_the_whole_price_confirmed_in_time_is_paid_beside_anything_else(
    invoice: Invoice, paid: list[Deposit], time: int
) -> None:
    whole = make_deposit(30, invoice.deadline, DepositStatus.CONFIRMED, Method("tron:usdt"))
    assert evaluate(invoice, [*paid, whole], time).status is InvoiceStatus.PAID


@STEADY
@given(invoices, histories, times)
def test_the_paid_part_is_exact(invoice: Invoice, paid: list[Deposit], time: int) -> None:
    plain = [d for d in paid if d.accepted is None]
    after = evaluate(invoice, plain, time)
    # Over the common denominator 210 everything is a whole number: no rounding can hide.
    worth = {Method("polygon:usdc"): 30, Method("tron:usdt"): 7}
    counting = [
        d
        for d in plain
        if d.status is not DepositStatus.ORPHANED
        and d.method in worth
        and not d.below_minimum
        and d.block_time <= min(1000, invoice.cancelled_at or 1000)
    ]
    sure = [d for d in counting if d.status is DepositStatus.CONFIRMED]
    assert after.seen * 210 == sum(d.units * worth[d.method] for d in counting)
    assert after.confirmed * 210 == sum(d.units * worth[d.method] for d in sure)


@STEADY
@given(invoices, histories, times, deposits)
def test_what_does_not_count_moves_flags_and_nothing_else(
    invoice: Invoice, paid: list[Deposit], time: int, more: Deposit
) -> None:
    assume(more.status is DepositStatus.ORPHANED or why_not(invoice, more) is not None)
    before, after = evaluate(invoice, paid, time), evaluate(invoice, [*paid, more], time)
    assert (after.status, after.seen, after.confirmed) == (
        before.status,
        before.seen,
        before.confirmed,
    )


@STEADY
@given(invoices, histories, times, times)
def test_money_that_suffices_is_never_expired(
    invoice: Invoice, paid: list[Deposit], time: int, other: int
) -> None:
    before = evaluate(invoice, paid, time)
    assume(before.status in {InvoiceStatus.CONFIRMING, InvoiceStatus.PAID})
    assert evaluate(invoice, paid, other) == before


@STEADY
@given(invoices, histories, times)
def test_the_status_agrees_with_what_was_seen(
    invoice: Invoice, paid: list[Deposit], time: int
) -> None:
    after = evaluate(invoice, paid, time)
    assert (after.seen == 0) == (after.status in NOTHING_SEEN)
    assert after.confirmed <= after.seen
    if after.status is InvoiceStatus.PARTIALLY_PAID:
        assert time <= invoice.deadline or after.confirmed < after.seen
    if after.status is InvoiceStatus.UNDERPAID:
        assert time > invoice.deadline
        assert after.confirmed == after.seen
    assert Flag.OVERPAID not in after.flags or after.status is InvoiceStatus.PAID
