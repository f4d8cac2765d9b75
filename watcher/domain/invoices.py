"""Invoices: what is owed, and the payment rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction

from watcher.domain.deposits import Deposit, DepositStatus, Depth
from watcher.domain.money import (
    Address,
    Family,
    Method,
    Network,
    Price,
    power,
    sendable_step,
    sendable_units,
)

SHORTEST, LONGEST = 60, 30 * 86_400  # seconds that an invoice may stay open
EARLY_GRACE = 900
"""Seconds by which our clock may run ahead of a chain's before a payment looks older than its
invoice; a clock that is more wrong shows by itself, as every network seems stalled."""


class InvoiceStatus(StrEnum):
    """Where an invoice stands; a function of its facts, never of its past."""

    AWAITING_PAYMENT = "awaiting_payment"
    PARTIALLY_PAID = "partially_paid"
    CONFIRMING = "confirming"
    PAID = "paid"
    UNDERPAID = "underpaid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Flag(StrEnum):
    """What else is true of an invoice, beside its status."""

    OVERPAID = "overpaid"
    LATE = "late"
    WRONG_ASSET = "wrong_asset"
    REORGED = "reorged"
    MANUAL = "manual"


class Reason(StrEnum):
    """Why a deposit does not count."""

    EARLY = "early"
    LATE = "late"
    WRONG_ASSET = "wrong_asset"
    BELOW_MINIMUM = "below_minimum"


@dataclass(frozen=True, slots=True)
class Quote:
    """What one offered method costs; fixed when the invoice is opened."""

    method: Method
    network: Network
    symbol: str
    contract: Address | None
    decimals: int
    rate: str
    """Price currency per one asset, decimal text."""
    sources: tuple[str, ...]
    units: int
    """Due, in the asset's smallest unit."""
    required: Depth


@dataclass(frozen=True, slots=True)
class Invoice:
    """What a merchant asks for, the facts that decide its status, and that status."""

    id: str
    merchant_id: str
    price: Price
    quotes: tuple[Quote, ...]
    created_at: int
    expires_at: int
    tolerance_percent: str = "0"
    selected: Method | None = None
    addresses: Mapping[Family, Address] = field(default_factory=dict)
    cancelled_at: int | None = None
    settled_for: Fraction | None = None
    """The part of the price that the merchant took for the whole; None: nobody decided."""
    external_id: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    """What we only repeat: the merchant's name, metadata, items …, the payer's answers."""
    status: InvoiceStatus = InvoiceStatus.AWAITING_PAYMENT
    flags: frozenset[Flag] = frozenset()
    seen: Fraction = Fraction(0)
    """Part of the price that counts, confirmed or not."""
    confirmed: Fraction = Fraction(0)
    unmatched: int = 0
    """How many deposits count for nothing, and await a decision."""
    updated_at: int = 0
    paid_at: int | None = None

    @property
    def deadline(self) -> int:
        """The last block time at which money is in time."""
        return (
            self.expires_at
            if self.cancelled_at is None
            else min(self.expires_at, self.cancelled_at)
        )

    @property
    def opening(self) -> int:
        """The first block time at which money can be meant for it; older money is another's."""
        return self.created_at - EARLY_GRACE

    @property
    def tolerance(self) -> Fraction:
        return Fraction(self.tolerance_percent) / 100

    @property
    def enough(self) -> Fraction:
        """The part of the price from which it is paid."""
        due = 1 - self.tolerance
        return due if self.settled_for is None else min(due, self.settled_for)

    def quote(self, method: Method) -> Quote | None:
        return next((quote for quote in self.quotes if quote.method == method), None)


def why_not(invoice: Invoice, deposit: Deposit) -> Reason | None:
    """Why a deposit that is in our chain does not count; None when it does."""
    if deposit.accepted is not None:
        return None
    if invoice.quote(deposit.method) is None:
        return Reason.WRONG_ASSET
    if deposit.below_minimum:
        return Reason.BELOW_MINIMUM
    if deposit.block_time < invoice.opening:
        return Reason.EARLY
    return Reason.LATE if deposit.block_time > invoice.deadline else None


def part_of(invoice: Invoice, deposit: Deposit) -> Fraction:
    """The part of the price that a counting deposit pays."""
    if deposit.accepted is not None:
        return deposit.accepted
    quote = invoice.quote(deposit.method)
    return Fraction(deposit.units, quote.units) if quote else Fraction(0)


def units_left(invoice: Invoice, quote: Quote, least: int = 0) -> int:
    """What completes the price in this method: rounded up as a quote is, 0 where nothing is left.

    Also of what is not confirmed yet nothing is asked for again. `least` is the asset's minimum in
    units, below which nothing counts: no payer is asked for less.
    """
    if not invoice.seen:
        return quote.units
    left = (1 - invoice.seen) * quote.units / power(quote.decimals)
    if left <= 0:
        return 0
    return max(least, sendable_units(left, quote.decimals, converted=_is_converted(quote)))


def paid_parts(invoice: Invoice, deposits: Iterable[Deposit]) -> tuple[Fraction, Fraction]:
    """The parts of the price that count: all that was seen, and what of it is confirmed."""
    counting = [
        each
        for each in deposits
        if each.status is not DepositStatus.ORPHANED and why_not(invoice, each) is None
    ]
    sure = [each for each in counting if each.status is DepositStatus.CONFIRMED]
    return _sum(invoice, counting), _sum(invoice, sure)


def accept_late(invoice: Invoice, deposit: Deposit) -> Deposit:
    """The deposit, accepted at its quote's value where it is late for an expired invoice.

    What comes after a cancellation stays for a person to decide: the order may be gone.
    """
    if why_not(invoice, deposit) is not Reason.LATE or invoice.cancelled_at is not None:
        return deposit
    return replace(deposit, accepted=part_of(invoice, deposit))


def evaluate(invoice: Invoice, deposits: Collection[Deposit], time: int) -> Invoice:
    """Return `invoice` with the status and flags that its deposits give it.

    The price is the unit: a deposit counts as its units over the units due in its method, an exact
    `Fraction`. `time` is the chain time (epoch seconds) that holds for the invoice, see
    `chain_time`: while a network that it may be paid on lags, nothing expires.
    """
    live = [d for d in deposits if d.status is not DepositStatus.ORPHANED]
    seen, confirmed = paid_parts(invoice, live)
    enough = invoice.enough
    closed = time > invoice.deadline and confirmed == seen  # nothing is left to confirm
    verdicts = (  # the first that holds
        (confirmed >= enough, InvoiceStatus.PAID),
        (seen >= enough, InvoiceStatus.CONFIRMING),
        (seen > 0 and not closed, InvoiceStatus.PARTIALLY_PAID),
        (seen > 0, InvoiceStatus.UNDERPAID),
        (invoice.cancelled_at is not None, InvoiceStatus.CANCELLED),
        (time > invoice.expires_at, InvoiceStatus.EXPIRED),
        (True, InvoiceStatus.AWAITING_PAYMENT),
    )
    facts = {
        Flag.OVERPAID: _is_over(invoice, live, confirmed),
        Flag.LATE: any(d.block_time > invoice.deadline for d in live),
        Flag.WRONG_ASSET: any(invoice.quote(d.method) is None for d in live),
        Flag.REORGED: any(d.reverted for d in deposits),
        Flag.MANUAL: (invoice.settled_for is not None or any(d.accepted_by_hand for d in live)),
    }
    return replace(
        invoice,
        status=next(status for holds, status in verdicts if holds),
        flags=frozenset(flag for flag, holds in facts.items() if holds),
        seen=seen,
        confirmed=confirmed,
        unmatched=sum(why_not(invoice, each) is not None for each in live),
    )


def chain_time(
    invoice: Invoice,
    times: Mapping[Network, int],
    families: Mapping[Network, Family],
) -> int:
    """The chain time (epoch seconds) by which `invoice` expires.

    `times` has each network's tip, `families` each enabled network. With an address the slowest
    enabled network of its families decides, since money may come on any of them; a network that
    has no tip yet holds everything up. Without one no money can come, and the first offered
    network to pass will do.
    """
    if not invoice.addresses:
        offered = [times[quote.network] for quote in invoice.quotes if quote.network in times]
        return max(offered, default=0)
    watching = [name for name, family in families.items() if family in invoice.addresses]
    return min((times.get(name, 0) for name in watching), default=0)


def _is_over(invoice: Invoice, deposits: Iterable[Deposit], confirmed: Fraction) -> bool:
    """Whether more came than was asked for: a rest is rounded up, so less than a step is not."""
    quotes = filter(None, (invoice.quote(each.method) for each in deposits))
    steps = (
        Fraction(sendable_step(each.decimals, converted=_is_converted(each)), each.units)
        for each in quotes
    )
    over = confirmed - 1 - invoice.tolerance
    return over > 0 and over >= max(steps, default=0)


def _is_converted(quote: Quote) -> bool:
    return Fraction(quote.rate) != 1


def _sum(invoice: Invoice, deposits: Iterable[Deposit]) -> Fraction:
    return sum((part_of(invoice, deposit) for deposit in deposits), Fraction(0))
