"""What any API may ask of invoices: open, select a method, cancel, show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import storage
from storage import Conn
from watcher import settling
from watcher.clock import new_id
from watcher.domain.blocks import BlockRef
from watcher.domain.deposits import Deposit, DepositStatus, Depth
from watcher.domain.invoices import LONGEST, SHORTEST, Invoice, InvoiceStatus, Quote
from watcher.domain.money import Method, Network, Price
from watcher.domain.timeline import Cause
from watcher.durations import show_duration
from watcher.policy import Policy
from watcher.quoting import check_price, offered_assets, quote_asset
from watcher.refused import BadField, MoneySeen, NoRate, NotFound, NotOpen, PayerMayNotCancel
from watcher.render import Json
from watcher.settling import Facts
from watcher.wallets import check_addresses, find_tampered, next_address
from watcher.webhooks.managing import check_callback

OPEN = {InvoiceStatus.AWAITING_PAYMENT, InvoiceStatus.PARTIALLY_PAID}


@dataclass(frozen=True, slots=True)
class NewInvoice:
    """What a merchant asks for."""

    price: Price
    methods: Sequence[str] | None = None
    """None: whatever the merchant has a wallet and there is a rate for."""
    valid_for: int | None = None
    tolerance_percent: str | None = None
    confirmations: Depth | None = None
    external_id: str | None = None
    autoselect: bool = True
    finer: bool = False
    """Whether the price may have more decimals than its currency, as in systems that keep more."""
    details: Mapping[str, object] = field(default_factory=dict)


async def open_invoice(
    conn: Conn, policy: Policy, merchant_id: str, wanted: NewInvoice, now: int
) -> Invoice:
    """Quote every offered method, store the invoice and tell of it.

    Raises:
        BadField: a method that does not exist or for which there is no wallet; a price that comes
            to nothing or to more than an asset can hold; a callback that may not be called.
        NoRate: no offered method has a rate.
        NoAddressLeft: its sole method was to be selected at once.
    """
    valid_for = wanted.valid_for or policy.valid_for
    if not SHORTEST <= valid_for <= LONGEST:
        raise BadField(
            f"must be from {SHORTEST} seconds to {LONGEST // 86_400} days", field="valid_for"
        )
    if callback := wanted.details.get("callback_url"):
        check_callback(policy, str(callback), "callback_url")
    quotes = await quote_methods(conn, policy, merchant_id, wanted, now)
    tips = await settling.our_tips(conn, policy)
    invoice = Invoice(
        id=new_id("inv"),
        merchant_id=merchant_id,
        price=wanted.price,
        quotes=tuple(quotes),
        created_at=now,
        updated_at=now,
        expires_at=_clock_of(tips, quotes, now) + valid_for,
        tolerance_percent=wanted.tolerance_percent or policy.tolerance_percent,
        external_id=wanted.external_id,
        details={**wanted.details, "valid_for": show_duration(valid_for)},
    )
    if wanted.autoselect and len(quotes) == 1:
        invoice = replace(invoice, selected=quotes[0].method)
    return await _store_new(conn, policy, invoice, tips, now)


async def quote_methods(
    conn: Conn, policy: Policy, merchant_id: str, wanted: NewInvoice, now: int
) -> list[Quote]:
    """What an invoice could be paid with, and with how much of it; nothing is stored.

    Raises:
        BadField, NoRate: as for opening it.
    """
    if not wanted.finer:
        check_price(wanted.price)
    assets = await offered_assets(conn, policy, merchant_id, wanted.methods)
    market = policy.rates.market(now)
    quoted = (
        quote_asset(policy, market, wanted.price, each, wanted.confirmations) for each in assets
    )
    quotes = [quote for quote in quoted if quote]
    methods = ", ".join(asset.method for asset in assets)
    if not quotes:
        raise NoRate(
            f"there is no rate now between {wanted.price.currency} and {methods}",
            field="price.currency",
        )
    counting = [quote for quote in quotes if quote.units >= policy.least(quote.method)]
    if not counting:
        raise BadField(f"comes to less than the minimum of {methods}", field="price.amount")
    return counting


def _clock_of(tips: Mapping[Network, BlockRef], quotes: Sequence[Quote], now: int) -> int:
    """The time from which an invoice runs: a chain whose clock is ahead would else cut it short."""
    return max([now, *(tips[q.network].timestamp for q in quotes if q.network in tips)])


async def _store_new(
    conn: Conn, policy: Policy, invoice: Invoice, tips: Mapping[Network, BlockRef], now: int
) -> Invoice:
    await storage.invoices.add(conn, invoice)
    if invoice.selected is not None:
        spec = policy.networks[invoice.quotes[0].network].spec
        address = await next_address(
            conn, spec.codec, invoice.merchant_id, spec.family, invoice.id, now
        )
        invoice = replace(invoice, addresses={spec.family: address})
    await settling.tell_opened(conn, policy, invoice, tips, now)
    return invoice


async def select_method(
    conn: Conn, policy: Policy, merchant_id: str | None, invoice_id: str, method: Method, now: int
) -> Invoice:
    """Choose what to pay with. Assigns an address, the first time for an address family.

    Raises:
        NotFound: no such invoice of this merchant.
        BadField: the method is not offered.
        NotOpen: paid, closed, or past its expiry by the wall clock or the chain's.
        NoAddressLeft: the merchant's wallets are empty.
    """
    seen = await find_invoice(conn, merchant_id, invoice_id)
    quote = seen.quote(method)
    if quote is None or policy.listed(method) is None:  # what is not watched must not be paid
        raise BadField(f"{method} is not offered by this invoice", field="method")
    spec = policy.networks[quote.network].spec
    # Wallet before invoice, everywhere: so two selections cannot wait for each other.
    await storage.wallets.lock(conn, seen.merchant_id, spec.family)
    [held] = await storage.invoices.lock(conn, [invoice_id])
    tips = await settling.our_tips(conn, policy)
    newest = max([now, *(tips[q.network].timestamp for q in held.quotes if q.network in tips)])
    if held.status not in OPEN or newest > held.deadline:
        raise NotOpen(f"the invoice is {held.status.value.replace('_', ' ')} or past its expiry")
    addresses = dict(held.addresses)
    if spec.family not in addresses:
        addresses[spec.family] = await next_address(
            conn, spec.codec, seen.merchant_id, spec.family, invoice_id, now
        )

    def edit(invoice: Invoice, deposits: Sequence[Deposit]) -> Facts:
        return replace(invoice, selected=method, addresses=addresses), deposits

    return await settling.amend(conn, policy, invoice_id, edit, None, now)


async def cancel_invoice(
    conn: Conn, policy: Policy, merchant_id: str | None, invoice_id: str, now: int
) -> Invoice:
    """Close an invoice for which no money was seen; cancelling again changes nothing.

    Raises:
        NotFound: no such invoice of this merchant.
        MoneySeen: a deposit was seen, whether it counts or not.
        NotOpen: it expired.
    """
    found = await find_invoice(conn, merchant_id, invoice_id)
    return await _cancel(conn, policy, found, Cause.CANCELLED, now)


async def cancel_as_payer(conn: Conn, policy: Policy, invoice_id: str, now: int) -> Invoice:
    """The same on the payer's wish, where the configuration lets payers cancel.

    Raises:
        NotFound, MoneySeen, NotOpen: as above.
        PayerMayNotCancel: it does not.
    """
    if not policy.payer_may_cancel:
        raise PayerMayNotCancel
    found = await find_invoice(conn, None, invoice_id)
    return await _cancel(conn, policy, found, Cause.CANCELLED_BY_PAYER, now)


async def _cancel(conn: Conn, policy: Policy, found: Invoice, cause: Cause, now: int) -> Invoice:
    if found.status is InvoiceStatus.CANCELLED:
        return found

    def edit(invoice: Invoice, deposits: Sequence[Deposit]) -> Facts:
        if any(each.status is not DepositStatus.ORPHANED for each in deposits):
            raise MoneySeen
        if invoice.status not in OPEN:
            raise NotOpen(f"the invoice is {invoice.status.value}")
        return replace(invoice, cancelled_at=now), deposits

    return await settling.amend(conn, policy, found.id, edit, cause, now)


async def find_invoice(conn: Conn, merchant_id: str | None, invoice_id: str) -> Invoice:
    """The invoice, if it is this merchant's; None asks for any merchant's (the operator)."""
    invoice = await storage.invoices.get(conn, invoice_id)
    if invoice is None or merchant_id not in (None, invoice.merchant_id):
        raise NotFound("there is no such invoice")
    return invoice


async def show_invoices(
    conn: Conn, policy: Policy, invoices: Sequence[Invoice], now: int
) -> list[Json]:
    """Invoices as the public sees them, their addresses derived again and compared.

    Raises:
        AddressTampered: a stored address is not its wallet's.
    """
    await check_addresses(conn, policy, invoices)
    return await _show(conn, policy, invoices, {}, now)


async def list_invoices(
    conn: Conn, policy: Policy, invoices: Sequence[Invoice], now: int
) -> list[Json]:
    """The same for a list, which one of them must not hold up: its addresses are withheld."""
    tampered = await find_tampered(conn, policy, invoices)
    return await _show(conn, policy, invoices, tampered, now)


async def _show(
    conn: Conn,
    policy: Policy,
    invoices: Sequence[Invoice],
    tampered: Mapping[str, str],
    now: int,
) -> list[Json]:
    views = await settling.view_invoices(conn, invoices)
    tips = await settling.our_tips(conn, policy)
    shown = settling.show_views(policy, views, tips, tampered, now)
    return [shown[each.id] for each in invoices]
