"""The public JSON of invoices and deposits: for event bodies and every API alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from storage.events import StoredEvent
from watcher.clock import rfc3339
from watcher.domain.blocks import BlockRef
from watcher.domain.deposits import Deposit, DepositStatus, confirmations, is_deep
from watcher.domain.invoices import Invoice, InvoiceStatus, Quote, why_not
from watcher.domain.money import Method, Network, amount_of, decimals_of, rounded_down
from watcher.domain.timeline import Moment
from watcher.policy import NetworkPolicy, Policy

Json = dict[str, Any]

DETAILS: Mapping[str, object] = {  # repeated as the merchant wrote them; the default where absent
    "name": None,
    "description": None,
    "metadata": {},
    "customer": None,
    "items": [],
    "questionnaire": None,
    "redirect_title": None,
    "callback_per_deposit": False,
    "callback_url": None,
    "success_url": None,
    "fail_url": None,
    "face": None,
    "created_with": "secret",
    "valid_for": None,
    "confirmations": None,
}
PAYABLE = {InvoiceStatus.AWAITING_PAYMENT, InvoiceStatus.PARTIALLY_PAID, InvoiceStatus.CONFIRMING}


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """An invoice with all that is shown beside it."""

    invoice: Invoice
    deposits: Sequence[Deposit]
    timeline: Sequence[Moment]


def render_invoice(
    policy: Policy, view: InvoiceView, tips: Mapping[Network, BlockRef], now: int
) -> Json:
    """The invoice of contract.md 4; `tips` are our newest blocks, `now` is wall-clock time."""
    invoice = view.invoice
    paid = invoice.status is InvoiceStatus.PAID
    return {
        "id": invoice.id,
        "object": "invoice",
        "livemode": policy.livemode,
        "merchant_id": invoice.merchant_id,
        "status": invoice.status.value,
        "flags": sorted(flag.value for flag in invoice.flags),
        "external_id": invoice.external_id,
        "price": {"amount": invoice.price.amount, "currency": invoice.price.currency},
        "paid": {
            "amount": _share(invoice, invoice.seen),
            "currency": invoice.price.currency,
            "confirmed": _share(invoice, invoice.confirmed),
        },
        "remaining": "0" if paid else _remaining(invoice),
        "methods": [quote.method for quote in invoice.quotes],
        "selected": invoice.selected,
        "quotes": [render_quote(policy, invoice, quote) for quote in invoice.quotes],
        "tolerance_percent": invoice.tolerance_percent,
        **{name: invoice.details.get(name, default) for name, default in DETAILS.items()},
        "deposits": [render_deposit(policy, invoice, each, tips) for each in view.deposits],
        "timeline": [_render_moment(moment) for moment in view.timeline],
        "checkout_url": f"{policy.public_url}/pay/{invoice.id}",
        "delayed": bool(delaying(policy, invoice, view.deposits, tips, now)),
        "expires_at": rfc3339(invoice.expires_at),
        "created_at": rfc3339(invoice.created_at),
        "updated_at": rfc3339(invoice.updated_at),
        "paid_at": _time(invoice.paid_at),
    }


def withhold(shown: Json, reason: str) -> Json:
    """An invoice as `render_invoice` shows it, with an error where it would say where to pay."""
    quotes = [{**quote, "address": None, "payment_uri": None} for quote in shown["quotes"]]
    error = {"field": "quotes", "code": "address_mismatch", "message": reason}
    return {**shown, "quotes": quotes, "error": error}


def render_quote(policy: Policy, invoice: Invoice, quote: Quote) -> Json:
    """A row for an offered method; `address` is null until its family has one."""
    network = policy.networks.get(quote.network)
    asset = policy.listed(quote.method)  # what is no longer watched must not be paid any more
    address = invoice.addresses.get(network.spec.family) if network else None
    uri = None
    if network and asset and address:
        uri = network.spec.payment_uri(asset, address, quote.units, network.chain_id)
    return {
        "method": quote.method,
        "network": quote.network,
        "asset": quote.symbol,
        "contract": _shown(policy, quote.network, quote.contract),
        "decimals": quote.decimals,
        "rate": quote.rate,
        "sources": list(quote.sources),
        "amount": amount_of(quote.units, quote.decimals),
        "amount_units": str(quote.units),
        "address": _shown(policy, quote.network, address),
        "payment_uri": uri,
        "required_confirmations": quote.required,
    }


def render_deposit(
    policy: Policy, invoice: Invoice, deposit: Deposit, tips: Mapping[Network, BlockRef]
) -> Json:
    """A deposit, with whether and why not it counts for its invoice."""
    network = deposit.network
    orphaned = deposit.status is DepositStatus.ORPHANED
    reason = why_not(invoice, deposit)
    symbol, decimals = _unit(policy, invoice, deposit.method)
    tip = tips.get(network)
    return {
        "id": deposit.id,
        "object": "deposit",
        "invoice_id": deposit.invoice_id,
        "network": network,
        "method": deposit.method,
        "asset": symbol,
        "amount": None if decimals is None else amount_of(deposit.units, decimals),
        "amount_units": str(deposit.units),
        "status": deposit.status.value,
        "counts": not orphaned and reason is None,
        "late": deposit.block_time > invoice.deadline,
        "accepted": deposit.accepted is not None,
        "reverted": deposit.reverted,
        "reason": reason.value if reason else None,
        "tx_hash": _hash(policy, network, deposit.tx_hash),
        "position": deposit.position,
        "explorer_url": _explorer_url(policy, deposit),
        "from": _shown(policy, network, deposit.sender),
        "to": _shown(policy, network, deposit.address),
        "block_number": deposit.block_number,
        "block_hash": _hash(policy, network, deposit.block_hash),
        "block_time": rfc3339(deposit.block_time),
        "confirmations": confirmations(deposit, tip) if tip else 0,
        "required_confirmations": deposit.required,
        "detected_at": rfc3339(deposit.detected_at),
        "confirmed_at": _time(deposit.confirmed_at),
    }


def render_event(policy: Policy, event: StoredEvent) -> Json:
    """An event of the log, the same for every reader and at any time."""
    return {
        "id": event.id,
        "seq": event.seq,
        "type": event.type.value,
        "created_at": rfc3339(event.created_at),
        "livemode": policy.livemode,
        "data": event.data,
    }


def event_body(policy: Policy, event: StoredEvent) -> bytes:
    """The same as webhooks bring it."""
    return json.dumps(render_event(policy, event), separators=(",", ":")).encode()


def _render_moment(moment: Moment) -> Json:
    return {
        "status": moment.status.value,
        "at": rfc3339(moment.at),
        "reason": moment.cause.value if moment.cause else None,
        "deposit": moment.deposit_id,
    }


def delaying(
    policy: Policy,
    invoice: Invoice,
    deposits: Iterable[Deposit],
    tips: Mapping[Network, BlockRef],
    now: int,
) -> list[Network]:
    """The networks that an open invoice may be paid on and that lag behind the wall clock.

    Also where one of its deposits should be confirmed for long: an endpoint that must agree is
    away, or differs.
    """
    if invoice.status not in PAYABLE:
        return []
    networks = {quote.network for quote in invoice.quotes}
    networks |= {name for name, family in policy.families.items() if family in invoice.addresses}
    return [
        name
        for name in sorted(networks & policy.networks.keys())
        if name not in tips
        or now - tips[name].timestamp > policy.networks[name].stalled_after
        or any(_is_overdue(policy.networks[name], each, tips[name]) for each in deposits)
    ]


def _is_overdue(network: NetworkPolicy, deposit: Deposit, tip: BlockRef) -> bool:
    """Whether it is deep enough, and was already when its network last had time to stall."""
    if deposit.network != network.spec.name or deposit.status is not DepositStatus.PENDING:
        return False
    blocks = -(-network.stalled_after // network.spec.pace_seconds)
    return is_deep(deposit, replace(tip, number=tip.number - blocks), None)


def _share(invoice: Invoice, part: Fraction) -> str:
    """A part of the price as an amount, cut to the decimals that the price's currency shows."""
    return rounded_down(part * invoice.price.value, _places(invoice))


def _remaining(invoice: Invoice) -> str:
    """What is left of the price: price - paid, so both always add up."""
    left = Fraction(invoice.price.amount) - Fraction(_share(invoice, invoice.seen))
    return rounded_down(max(left, Fraction(0)), _places(invoice))


def _places(invoice: Invoice) -> int:
    """Two decimals or the price's own; a coin's own where the price is in that coin."""
    coins = [q.decimals for q in invoice.quotes if q.symbol.upper() == invoice.price.currency]
    return max(2, decimals_of(invoice.price.amount), *coins)


def _unit(policy: Policy, invoice: Invoice, method: Method) -> tuple[str, int | None]:
    """Symbol and decimals; None where the configuration no longer says how many there are."""
    known = policy.asset(method) or invoice.quote(method)
    return (known.symbol, known.decimals) if known else (method.partition(":")[2].upper(), None)


def _explorer_url(policy: Policy, deposit: Deposit) -> str | None:
    network = policy.networks.get(deposit.network)
    if network is None:
        return None
    if deposit.tx_hash is None:
        return network.spec.explorer.block.format(deposit.block_number)
    return network.spec.explorer.transaction.format(network.spec.show_hash(deposit.tx_hash))


def _shown(policy: Policy, network: Network, address: Any) -> str | None:
    known = policy.networks.get(network)
    return known.spec.codec.show(address) if known and address else address


def _hash(policy: Policy, network: Network, value: Any) -> str | None:
    known = policy.networks.get(network)
    return known.spec.show_hash(value) if known and value else value


def _time(seconds: int | None) -> str | None:
    return None if seconds is None else rfc3339(seconds)
