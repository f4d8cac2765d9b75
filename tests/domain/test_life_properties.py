"""Whatever happens to an invoice, in whatever order: it is what its facts say, and told once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import make_deposit, make_invoice, make_quote
from watcher.domain.deposits import Deposit, DepositStatus, orphan, revive
from watcher.domain.events import invoice_events
from watcher.domain.invoices import Flag, Invoice, InvoiceStatus, accept_late, evaluate, why_not
from watcher.domain.money import Method

PENDING, CONFIRMED, ORPHANED = DepositStatus
USDC, USDT, DAI = Method("polygon:usdc"), Method("tron:usdt"), Method("polygon:dai")
DUE = {USDC: 7, USDT: 30}
WORTH = {USDC: 30, USDT: 7}  # of one unit in 210ths of the price: 7 * 30 == 30 * 7 == 210
OPEN = {InvoiceStatus.AWAITING_PAYMENT, InvoiceStatus.PARTIALLY_PAID}
SHORT = {InvoiceStatus.PARTIALLY_PAID, InvoiceStatus.UNDERPAID}

QUOTES = [make_quote(units, method) for method, units in DUE.items()]
amounts = st.tuples(st.sampled_from([*DUE, DAI]), st.integers(1, 30))
times = st.sampled_from([0, 499, 500, 501, 999, 1000, 1001, 2000])
which = st.integers(0, 2)
moves = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), amounts, times),
        st.tuples(st.just("confirm"), which, which),
        st.tuples(st.just("orphan"), which, which),
        st.tuples(st.just("return"), which, which),
        st.tuples(st.just("clock"), times, which),
        st.tuples(st.just("select"), st.sampled_from(list(DUE)), which),
        st.tuples(st.just("cancel"), times.filter(bool), which),
        st.tuples(st.just("accept"), which, which),
        st.tuples(st.just("as_paid"), which, which),
    ),
    min_size=8,
    max_size=25,
)


class Life:
    """An invoice and its deposits, changed one fact at a time, as the ledger does it."""

    def __init__(self, by_policy: bool) -> None:
        self.by_policy, self.time = by_policy, 0
        self.deposits: list[Deposit] = []
        self.invoice = make_invoice(quotes=QUOTES)

    def play(self, kind: str, one: Any, two: Any) -> None:
        """Make one change where it is allowed, and check what is told of it."""
        change: Callable[[Any, Any], Invoice] = getattr(self, f"_{kind}")
        before = self.invoice
        self.invoice = evaluate(change(one, two), self.deposits, self.time)
        check_told(before, self.invoice)

    def _pay(self, paid: tuple[Method, int], time: int) -> Invoice:
        method, units = paid
        found = make_deposit(units, time, method=method, tx=str(len(self.deposits)))
        self.deposits.append(accept_late(self.invoice, found) if self.by_policy else found)
        return self.invoice

    def _confirm(self, index: int, _: int) -> Invoice:
        return self._restate(index, PENDING, lambda was: replace(was, status=CONFIRMED))

    def _orphan(self, index: int, _: int) -> Invoice:
        return self._restate(index, None, lambda was: orphan([was])[0])

    def _return(self, index: int, _: int) -> Invoice:
        return self._restate(index, ORPHANED, lambda was: revive(was, was, 0))

    def _clock(self, time: int, _: int) -> Invoice:
        self.time = time
        return self.invoice

    def _select(self, method: Method, _: int) -> Invoice:
        return replace(self.invoice, selected=method)

    def _cancel(self, at: int, _: int) -> Invoice:
        live = [each for each in self.deposits if each.status is not ORPHANED]
        return (
            self.invoice if live or not self._is(OPEN) else replace(self.invoice, cancelled_at=at)
        )

    def _accept(self, index: int, _: int) -> Invoice:
        def decide(was: Deposit) -> Deposit:
            if was.status is ORPHANED or why_not(self.invoice, was) is None:
                return was
            worth = Fraction(was.units * WORTH.get(was.method, 10), 210)
            return replace(was, accepted=worth, accepted_by_hand=True)

        return self._restate(index, None, decide)

    def _as_paid(self, _: int, __: int) -> Invoice:
        short = self._is(SHORT)
        return replace(self.invoice, settled_for=self.invoice.seen) if short else self.invoice

    def _is(self, statuses: set[InvoiceStatus]) -> bool:
        return self.invoice.status in statuses

    def _restate(
        self, index: int, status: DepositStatus | None, change: Callable[[Deposit], Deposit]
    ) -> Invoice:
        if index < len(self.deposits) and status in (None, self.deposits[index].status):
            self.deposits[index] = change(self.deposits[index])
        return self.invoice


def check_told(before: Invoice, after: Invoice) -> None:
    """A change of status is one event, named after it; anything else is at most one other."""
    told = [str(event.type) for event in invoice_events(before, after)]
    if before.status is not after.status:
        left = before.status is InvoiceStatus.PAID
        assert told == (["invoice.reverted"] if left else [f"invoice.{after.status}"])
    elif before.selected != after.selected:
        assert told == ["invoice.method_selected"]
    else:
        seen = [(each.flags, each.seen, each.confirmed) for each in (before, after)]
        assert told == ([] if seen[0] == seen[1] else ["invoice.updated"])


def parts(life: Life) -> tuple[int, int]:
    """What counts, seen and confirmed, in 210ths of the price: counted here in whole numbers."""
    seen = confirmed = 0
    cancelled_at = life.invoice.cancelled_at
    deadline = 1000 if cancelled_at is None else min(1000, cancelled_at)
    for each in life.deposits:
        in_time = each.method in DUE and each.block_time <= deadline
        if each.status is ORPHANED or not (in_time or each.accepted is not None):
            continue
        worth = each.units * WORTH.get(each.method, 10)
        seen += worth
        confirmed += worth if each.status is CONFIRMED else 0
    return seen, confirmed


@settings(derandomize=True, max_examples=400, deadline=None)
@given(moves, st.booleans())
def test_after_any_life_an_invoice_is_what_its_facts_say(
    played: list[tuple[str, Any, Any]], by_policy: bool
) -> None:
    life = Life(by_policy)
    for kind, one, two in played:
        life.play(kind, one, two)
    lived = life.invoice
    newborn = make_invoice(
        quotes=QUOTES,
        selected=lived.selected,
        cancelled_at=lived.cancelled_at,
        settled_for=lived.settled_for,
    )
    assert evaluate(newborn, life.deposits[::-1], life.time) == lived
    assert (lived.seen * 210, lived.confirmed * 210) == parts(life)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(moves, st.booleans())
def test_paid_is_never_without_confirmed_money(
    played: list[tuple[str, Any, Any]], by_policy: bool
) -> None:
    life = Life(by_policy)
    for kind, one, two in played:
        life.play(kind, one, two)
        _, confirmed = parts(life)
        settled = life.invoice.settled_for
        enough = 210 if settled is None else min(210, settled * 210)
        assert (life.invoice.status is InvoiceStatus.PAID) == (confirmed >= enough > 0)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(moves)
def test_without_a_persons_decision_nothing_is_manual(played: list[tuple[str, Any, Any]]) -> None:
    life = Life(by_policy=True)
    for kind, one, two in played:
        if kind not in {"accept", "as_paid"}:
            life.play(kind, one, two)
    assert Flag.MANUAL not in life.invoice.flags
