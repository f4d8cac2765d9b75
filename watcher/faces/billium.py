"""Billium: what its invoices and payments look like."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from watcher.faces.ids import derived, hex_id
from watcher.faces.methods import chain_id_of, native_of, symbol_of
from watcher.faces.values import milliseconds, padded
from watcher.faces.words import Words
from watcher.policy import Policy
from watcher.render import Json

NAME: Final = "billium"
PLACES = 6  # its database keeps prices as Decimal(15,6)
WORDS = Words(
    unselected="AWAITING_PAYMENT",
    awaiting_payment="AWAITING_PAYMENT",
    partially_paid="AWAITING_PAYMENT",  # UNDERPAID is final there, and waiting would be a lie
    confirming="PENDING_CONFIRMATION",
    paid="PAID",
    overpaid="OVERPAID",
    underpaid="UNDERPAID",
    expired="EXPIRED",
    cancelled="CANCELLED",
)
SEEN = {"pending": "DETECTED", "confirmed": "CONFIRMED"}


def show(policy: Policy, invoice: Json) -> Json:
    """The invoice as Billium shows it; every key is always there."""
    customer = _customer(invoice)
    return {
        "id": hex_id("inv", invoice["id"]),
        "merchantId": hex_id("mer", invoice["merchant_id"]),
        "customerId": customer["id"] if customer else None,
        "productId": None,
        "name": invoice["name"] or invoice["id"],
        "description": invoice["description"],
        "redirectUrl": invoice["success_url"],
        "rawAmount": padded(invoice["price"]["amount"], PLACES),
        "endAmount": padded(invoice["price"]["amount"], PLACES),
        "currency": invoice["price"]["currency"],
        "status": WORDS.of(invoice),
        "expiresAt": milliseconds(invoice["expires_at"]),
        "createdAt": milliseconds(invoice["created_at"]),
        "updatedAt": milliseconds(invoice["updated_at"]),
        "customer": customer,
        "product": None,
        "payments": [*_method_row(policy, invoice), *_deposit_rows(policy, invoice)],
        "invoiceTimeline": list(_timeline(invoice)),
        "checkoutUrl": invoice["checkout_url"],
    }


def selected_quote(invoice: Json) -> Json | None:
    """The quote of the selected method."""
    chosen = invoice["selected"]
    return next((each for each in invoice["quotes"] if each["method"] == chosen), None)


def method_id(invoice: Json, method: str) -> str:
    """What the row of a method is called."""
    return derived("pay", invoice["id"], method)


def _customer(invoice: Json) -> Json | None:
    """Who pays, by e-mail: the same id for the same address. Without one there is no customer."""
    given = invoice["customer"] or {}
    if not given.get("email"):
        return None
    return {
        "id": derived("cus", invoice["merchant_id"], given["email"].lower()),
        "merchantId": hex_id("mer", invoice["merchant_id"]),
        "email": given["email"],
        "name": given.get("name"),
        "address": given.get("address"),
        "phoneNumber": given.get("phone"),
        "createdAt": milliseconds(invoice["created_at"]),
        "updatedAt": milliseconds(invoice["created_at"]),
    }


def _method_row(policy: Policy, invoice: Json) -> Iterator[Json]:
    """What is to be paid, until a deposit counts in the selected method."""
    quote = selected_quote(invoice)
    if quote is None or any(
        each["counts"] and each["method"] == quote["method"] for each in invoice["deposits"]
    ):
        return
    yield {
        "id": method_id(invoice, quote["method"]),
        "invoiceId": hex_id("inv", invoice["id"]),
        "chainId": chain_id_of(policy, quote["method"]),
        "network": network_symbol(policy, quote["method"]),
        "txHash": None,
        "fromAddress": None,
        "toAddress": quote["address"],
        "amount": padded(quote["amount"], quote["decimals"]),
        "currency": quote["asset"],
        "status": "CREATED",
        "receivedTxAt": None,
        "confirmedTxAt": None,
        "createdAt": milliseconds(invoice["created_at"]),
        "updatedAt": milliseconds(invoice["updated_at"]),
    }


def _deposit_rows(policy: Policy, invoice: Json) -> Iterator[Json]:
    """Every deposit in the chain; those that do not count say so."""
    for deposit in invoice["deposits"]:
        if deposit["status"] == "orphaned":
            continue
        changed_at = deposit["confirmed_at"] or deposit["detected_at"]
        yield {
            "id": hex_id("pay", deposit["id"]),
            "invoiceId": hex_id("inv", invoice["id"]),
            "chainId": chain_id_of(policy, deposit["method"]),
            "network": network_symbol(policy, deposit["method"]),
            "txHash": deposit["tx_hash"],
            "fromAddress": deposit["from"],
            "toAddress": deposit["to"],
            "amount": received(invoice, policy, deposit),
            "currency": deposit["asset"],
            "status": payment_word(deposit),
            "receivedTxAt": milliseconds(deposit["block_time"]),
            "confirmedTxAt": milliseconds(deposit["confirmed_at"]),
            "createdAt": milliseconds(deposit["detected_at"]),
            "updatedAt": milliseconds(changed_at),
        }


def payment_word(deposit: Json) -> str:
    """The status of a payment; of one that left the chain only events tell."""
    if deposit["status"] == "orphaned":
        return "ORPHANED"
    return SEEN[deposit["status"]] if deposit["counts"] else "UNMATCHED"


def received(invoice: Json, policy: Policy, deposit: Json) -> str | None:
    """What came in, with all decimals of its coin."""
    quote = next((q for q in invoice["quotes"] if q["method"] == deposit["method"]), None)
    asset = policy.asset(deposit["method"])
    places = quote["decimals"] if quote else asset.decimals if asset else 0
    return None if deposit["amount"] is None else padded(deposit["amount"], places)


def network_symbol(policy: Policy, method: str) -> str:
    """A network by its own coin: ETH, POL, TRX."""
    native = native_of(policy, method)
    return symbol_of(method) if native is None else native.symbol


def _timeline(invoice: Json) -> Iterator[Json]:
    """The steps at which Billium's word changed; the last one tells of too much, too."""
    steps = [(WORDS.by_status(each["status"]), each["at"]) for each in invoice["timeline"]]
    if steps and steps[-1][0] == WORDS.paid:
        steps[-1] = (WORDS.of(invoice), steps[-1][1])
    for place, (word, group) in enumerate(groupby(steps, key=lambda step: step[0])):
        yield {
            "id": derived("itl", invoice["id"], f"timeline/{place}"),
            "invoiceId": hex_id("inv", invoice["id"]),
            "paymentStatus": word,
            "time": milliseconds(next(group)[1]),
        }
