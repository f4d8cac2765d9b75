"""What merchants decide: money that counts after all, and too little that is enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import storage
from storage import Conn
from watcher import settling
from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.invoices import Invoice, paid_parts, part_of, why_not
from watcher.domain.money import power
from watcher.domain.rates import Market, find_rate
from watcher.domain.timeline import Cause
from watcher.invoicing import find_invoice
from watcher.policy import Policy
from watcher.refused import DepositOrphaned, NoRate, NothingSeen, NothingToAccept, UnknownDeposit
from watcher.settling import Facts


@dataclass(frozen=True, slots=True)
class Decision:
    """What a merchant accepts."""

    deposits: Sequence[str] | None = None
    """Ids; None: all that do not count, or none where the invoice is only taken as paid."""
    as_paid: bool = False
    """Take what counts then for the whole price."""


async def accept(
    conn: Conn,
    policy: Policy,
    merchant_id: str | None,
    invoice_id: str,
    decision: Decision,
    now: int,
) -> Invoice:
    """Let deposits count by hand, and take the invoice as paid where that was decided.

    What is accepted must still be confirmed, and a reorg takes it back like any other money.

    Raises:
        NotFound: no such invoice of this merchant.
        UnknownDeposit, DepositOrphaned: a named deposit is not this invoice's, or not in our chain.
        NothingToAccept: it all counts, or reaches the price without a decision.
        NothingSeen: taken as paid without any money that counts.
        NoRate: a coin that was not offered has no rate today.
    """
    await find_invoice(conn, merchant_id, invoice_id)
    await storage.deposits.lock(conn, invoice_id)
    market = policy.rates.market(now)

    def edit(invoice: Invoice, deposits: Sequence[Deposit]) -> Facts:
        chosen = _chosen(invoice, deposits, decision)
        decided = [
            accepted_by_hand(policy, market, invoice, each) if each.id in chosen else each
            for each in deposits
        ]
        if decision.as_paid:
            invoice = _settled(invoice, decided, bool(chosen))
        return invoice, decided

    cause = Cause.ACCEPTED_AS_PAID if decision.as_paid else Cause.ACCEPTED
    return await settling.amend(conn, policy, invoice_id, edit, cause, now)


def _chosen(invoice: Invoice, deposits: Sequence[Deposit], decision: Decision) -> set[str]:
    """Ids of the deposits to accept; what counts already needs no decision."""
    if decision.deposits is not None:
        named = _named(deposits, decision.deposits)
    elif decision.as_paid:
        named = []
    else:
        named = [each for each in deposits if each.status is not DepositStatus.ORPHANED]
    chosen = {each.id for each in named if why_not(invoice, each) is not None}
    if not chosen and not decision.as_paid:
        raise NothingToAccept
    return chosen


def _named(deposits: Sequence[Deposit], ids: Sequence[str]) -> list[Deposit]:
    known = {each.id: each for each in deposits}
    for place, id in enumerate(ids):
        if id not in known:
            raise UnknownDeposit(field=f"deposits.{place}")
        if known[id].status is DepositStatus.ORPHANED:
            raise DepositOrphaned(field=f"deposits.{place}")
    return [known[id] for id in ids]


def accepted_by_hand(policy: Policy, market: Market, invoice: Invoice, deposit: Deposit) -> Deposit:
    """The deposit at its quote's value, or by today's rate where the coin was not offered."""
    part = part_of(invoice, deposit)
    if invoice.quote(deposit.method) is None:
        part = _value(policy, market, invoice.price.currency, deposit) / invoice.price.value
    return replace(deposit, accepted=part, accepted_by_hand=True)


def _value(policy: Policy, market: Market, currency: str, deposit: Deposit) -> Fraction:
    """What the deposit is worth today, in `currency`."""
    asset = policy.asset(deposit.method)
    rate = find_rate(market, currency, asset.symbol) if asset else None
    if asset is None or rate is None:
        raise NoRate(f"there is no rate between {deposit.method} of {deposit.id} and {currency}")
    return Fraction(deposit.units, power(asset.decimals)) * rate.price


def _settled(invoice: Invoice, deposits: Sequence[Deposit], chosen: bool) -> Invoice:
    """The invoice, settled for what counts, where that does not reach the price by itself."""
    seen, _ = paid_parts(invoice, deposits)
    if seen == 0:
        raise NothingSeen
    if seen < invoice.enough:
        return replace(invoice, settled_for=seen)
    if not chosen:
        raise NothingToAccept("the price is reached; what was paid needs only to be confirmed")
    return invoice
