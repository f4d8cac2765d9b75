"""PayHubix: its numbers, words and times, and what its invoices look like."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from watcher.domain.money import amount_of
from watcher.durations import parse_duration
from watcher.faces.ids import uuid_of
from watcher.faces.payhubix_catalogue import show_currency
from watcher.faces.values import missing, number
from watcher.faces.words import Words
from watcher.policy import Policy
from watcher.render import Json

NAME = "payhubix"
WORDS = Words(
    unselected="Created",
    awaiting_payment="Pending",
    partially_paid="Partially",
    confirming="Pending",
    paid="Paid",
    overpaid="Paid",
    underpaid="PartiallyExpired",
    expired="Expired",
    cancelled="Canceled",
)
PAID_IN = "Partially"
"""Of a coin that was paid with, while another one is selected."""
FEES = {"transfer_fee_by": "Customer", "service_fee_by": "Merchant"}
"""Who pays the fees that there are not."""


def show(policy: Policy, invoice: Json, shop: str) -> Json:
    """The invoice as PayHubix shows it; `shop` is the merchant's name."""
    payments = {each["method"]: _payment(policy, invoice, each) for each in _chosen(invoice)}
    return {
        "invoice_url": invoice["checkout_url"],
        "currency_amount": number(invoice["price"]["amount"]),
        "remaining_currency_amount": number(missing(invoice)),
        "currency_symbol": invoice["price"]["currency"],
        "link": "INV-" + invoice["id"].partition("_")[2],
        **FEES,
        "service_fee_percent": 0,
        "status": WORDS.of(invoice),
        "customer_email": (invoice["customer"] or {}).get("email"),
        "manual_customer_email": None,
        "created_at": show_time(invoice["created_at"]),
        "expire_at": show_time(invoice["expires_at"]),
        "pure_expire_time": _window(invoice),
        "order_id": invoice["external_id"],
        "order_description": invoice["description"],
        "shop": {
            "name": shop,
            "website": None,
            "shop_id": str(uuid_of(invoice["merchant_id"])),
            **FEES,
            "logo_url": None,
        },
        "currencies": [_currency(policy, each) for each in invoice["quotes"]],
        "payments": list(payments.values()) or None,
        "selected_payment": payments.get(invoice["selected"]),
        "callback_url": invoice["callback_url"],
    }


def envelope(message: object) -> Json:
    """What every answer comes in."""
    return {"error": False, "number": 0, "message": message}


def show_time(time: str) -> str:
    """A time of ours, which has no fraction: `2025-07-04 16:10:53 +0000 UTC`."""
    return time.replace("T", " ").replace("Z", " +0000 UTC")


def _payment(policy: Policy, invoice: Json, quote: Json) -> Json:
    """What was or is to be paid in one coin; the amounts count what is confirmed."""
    counting = _counting(invoice, quote["method"])
    confirmed = [each for each in counting if each["status"] == "confirmed"]
    received = sum(int(each["amount_units"]) for each in confirmed)
    return {
        "currency_amount": number(invoice["price"]["amount"]),
        "remaining_currency_amount": number(missing(invoice)),
        "transfer_fee": 0,
        "service_fee": 0,
        "ratio": number(quote["rate"]),
        "crypto_amount": number(quote["amount"]),
        "final_crypto_amount": number(quote["amount"]),
        "received_crypto_amount": number(amount_of(received, quote["decimals"])),
        "remaining_crypto_amount": number(_missing_coins(invoice, quote, received)),
        "memo": None,
        "address": quote["address"],
        "status": WORDS.of(invoice) if quote["method"] == invoice["selected"] else PAID_IN,
        "created_at": show_time(invoice["created_at"]),
        "expire_time": show_time(invoice["expires_at"]),
        "pure_expire_time": _window(invoice),
        "selected_currency": _currency(policy, quote),
        "transactions": [
            {"tx_hash": each["tx_hash"], "scanner_link": each["explorer_url"]} for each in counting
        ],
    }


def _missing_coins(invoice: Json, quote: Json, received: int) -> str:
    """What is left to pay in this coin, some of it may have been paid in another."""
    due, left = int(quote["amount_units"]), Fraction(missing(invoice))
    share = ceil(left / Fraction(invoice["price"]["amount"]) * due)
    # What was paid is cut to cents, so what is left of the price may be a trifle too much.
    return amount_of(min(share, max(due - received, 0)), quote["decimals"])


def _chosen(invoice: Json) -> list[Json]:
    """The quotes of what was selected and of what was paid with."""
    return [
        each
        for each in invoice["quotes"]
        if each["method"] == invoice["selected"] or _counting(invoice, each["method"])
    ]


def _counting(invoice: Json, method: str) -> list[Json]:
    return [each for each in invoice["deposits"] if each["counts"] and each["method"] == method]


def _currency(policy: Policy, quote: Json) -> Json:
    native = quote["contract"] is None
    return show_currency(policy, quote["method"], quote["asset"], quote["decimals"], native)


def _window(invoice: Json) -> str:
    """How long one had to pay, in hours and whole minutes."""
    seconds = parse_duration(invoice["valid_for"])
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}"
