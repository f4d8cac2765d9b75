"""BitGPT 402pay: its words, and what its invoices and payments look like."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import Any

from watcher.domain.money import rounded_down
from watcher.faces.bitgpt_currencies import word_of
from watcher.faces.ids import uuid_of
from watcher.faces.methods import network_of
from watcher.faces.values import padded
from watcher.faces.words import Words
from watcher.render import Json

NAME = "bitgpt"
PLACES = 30
WORDS: Words[tuple[str, ...]] = Words(  # status, and substatus where there is one
    unselected=("PENDING",),
    awaiting_payment=("PENDING",),
    partially_paid=("PARTIALLY_PAID",),
    confirming=("WAITING_FOR_CONFIRMATIONS",),
    paid=("COMPLETED",),
    overpaid=("COMPLETED", "OVERPAID"),
    underpaid=("PARTIALLY_PAID",),
    expired=("VOIDED",),
    cancelled=("VOIDED",),
)
PAYMENT_WORDS = {"pending": "PENDING", "confirmed": "COMPLETED", "orphaned": "FAILED"}


def prefixed(prefix: str, id: str) -> str:
    """Another prefix and the UUID with its dashes."""
    return f"{prefix}_{uuid_of(id)}"


def show_time(time: str) -> str:
    """A time of ours, in UTC without saying so: `2025-07-04 16:10:53`."""
    return time.replace("T", " ").removesuffix("Z")


def provider_id(method: str) -> str:
    """What a payment is made with: `polygon:usdc` -> `provider_polygon_usdc`."""
    return f"provider_{network_of(method)}_{method.partition(':')[2]}"


def currency_of(invoice: Json) -> str:
    """The word that the invoice was opened with, or the usual one of its currency."""
    return str(_echo(invoice).get("currency") or word_of(invoice["price"]["currency"]))


def dollars_of(invoice: Json) -> str | None:
    """The price in dollars at the rate of its creation; None where there was none."""
    price = invoice["price"]
    dollars: str | None = _echo(invoice).get("price_usd")
    return price["amount"] if price["currency"] == "USD" else dollars


def show(invoice: Json, *, private: bool = True) -> Json:
    """The invoice as BitGPT shows it; unless `private`, without what only its merchant may see."""
    status, *substatus = WORDS.of(invoice)
    email = (invoice["customer"] or {}).get("email")
    return {
        "id": prefixed("invoice", invoice["id"]),
        "organization_id": prefixed("org", invoice["merchant_id"]),
        "status": status,
        "substatus": substatus[0] if substatus else None,
        "currency": currency_of(invoice),
        "price": padded(invoice["price"]["amount"], PLACES),
        **_dollars(dollars_of(invoice)),
        **({"customer_email": email} if email and private else {}),
        **({"metadata": invoice["metadata"]} if private else {}),
        "redirect_url": invoice["success_url"],
        "created_at": show_time(invoice["created_at"]),
        "updated_at": show_time(invoice["updated_at"]),
    }


def show_payment(invoice: Json, deposit: Json, with_provider: bool = False) -> Json:
    """A deposit as BitGPT shows it, on demand with what it was made with."""
    place = f"{deposit['network']}|{deposit['tx_hash']}|{deposit['position']}"
    invoice_id = prefixed("invoice", invoice["id"])
    return {
        "id": prefixed("payment", deposit["id"]),
        "idempotency_key": f"{hashlib.sha256(place.encode()).hexdigest()}-{invoice_id}",
        "organization_id": prefixed("org", invoice["merchant_id"]),
        "provider_id": provider_id(deposit["method"]),
        "invoice_id": invoice_id,
        "currency": word_of(deposit["asset"]),
        "price": None if deposit["amount"] is None else padded(deposit["amount"], PLACES),
        **_dollars(deposit_dollars(invoice, deposit)),
        "status": PAYMENT_WORDS[deposit["status"]],
        "created_at": show_time(deposit["detected_at"]),
        "updated_at": show_time(deposit["confirmed_at"] or deposit["detected_at"]),
        "happened_at": show_time(deposit["block_time"]),
        **({"provider": _provider(deposit)} if with_provider else {}),
    }


def _provider(deposit: Json) -> Json:
    return {
        "id": provider_id(deposit["method"]),
        "network": network_of(deposit["method"]).upper(),
        "asset": word_of(deposit["asset"]),
    }


def expanded(invoice: Json, expand: Collection[str], organization: str) -> Json:
    """What is shown beside an invoice on demand; `organization` is the merchant's name."""
    shown: Json = {}
    if "items" in expand:
        shown["items"] = _items(invoice)
    if "calculations" in expand:
        shown["calculations"] = []
        shown["calculation_summary"] = {
            "currency": currency_of(invoice),
            "price": padded(invoice["price"]["amount"], PLACES),
            **_dollars(dollars_of(invoice)),
        }
    if "organization" in expand:
        id = prefixed("org", invoice["merchant_id"])
        shown["organization"] = {"id": id, "name": organization}
    if not {"payments", "payments.provider"}.isdisjoint(expand):
        with_provider = "payments.provider" in expand
        counting = [each for each in invoice["deposits"] if each["counts"]]
        shown["payments"] = [show_payment(invoice, each, with_provider) for each in counting]
    return shown


def _items(invoice: Json) -> list[Json]:
    """As they were sent to this face; of other invoices the whole is one."""
    own = invoice["items"] if _echo(invoice) else []
    whole = {"currency": currency_of(invoice), "price": invoice["price"]["amount"], "quantity": 1}
    return [
        {
            "type": "PAYMENT_INTENT",
            "currency": each["currency"],
            "price": padded(each["price"], PLACES),
            "quantity": each["quantity"],
        }
        for each in own or [whole]
    ]


def deposit_dollars(invoice: Json, deposit: Json) -> str | None:
    """What it is worth by the rates that the invoice fixed; None of a coin without one."""
    rates = [each["rate"] for each in invoice["quotes"] if each["method"] == deposit["method"]]
    price = dollars_of(invoice)
    if not rates or price is None or deposit["amount"] is None:
        return None
    share = Fraction(deposit["amount"]) * Fraction(rates[0]) / Fraction(invoice["price"]["amount"])
    return rounded_down(share * Fraction(price), PLACES)


def _dollars(amount: str | None) -> Json:
    """The key is absent without a rate."""
    return {} if amount is None else {"price_usd": padded(amount, PLACES)}


def _echo(invoice: Json) -> Mapping[str, Any]:
    face = invoice["face"] or {}
    echo: Mapping[str, Any] = face["echo"] if face.get("name") == NAME else {}
    return echo
