"""tx.cash: its codes of coins, its words, and what its invoices look like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from watcher.faces.ids import uuid_of
from watcher.faces.methods import network_of
from watcher.faces.values import number
from watcher.faces.words import Words
from watcher.render import Json

NAME = "txcash"
WORDS = Words(
    unselected=("pending", 0),
    awaiting_payment=("pending", 0),
    partially_paid=("under paid", 2),
    confirming=("pending", 0),
    paid=("paid", 1),
    overpaid=("over paid", 3),
    underpaid=("under paid", 2),
    expired=("expired", 4),
    cancelled=("cancelled", 5),
)
STABLES = {"usdt", "usdc", "dai"}
GROUPS = {"eth_stables": "eth", "polygon_stables": "polygon", "tron_stables": "tron"}
ALIASES = {"polygon_weth": "polygon_eth"}  # "Polygon network and ETH coin": the bridged one


def code_of(method: str) -> str:
    """A method as its clients name it: `ethereum:usdt` -> `eth_usdt`."""
    network, symbol = network_of(method), method.partition(":")[2]
    code = f"{'eth' if network == 'ethereum' else network}_{symbol}"
    return ALIASES.get(code, code)


def named_methods(codes: Iterable[str], methods: Iterable[str]) -> list[str]:
    """Those of `methods` that codes and groups name, in order and each once.

    Raises:
        ValueError: a code that names none of them.
    """
    known = {code_of(each): each for each in methods}
    named: dict[str, None] = {}
    for code in codes:
        found = [method for each, method in known.items() if _names(code, each)]
        if not found:
            words = ", ".join([*known, "all", *GROUPS])
            raise ValueError(f"names nothing by {code[:40]!r}; there are {words}")
        named |= dict.fromkeys(found)
    return list(named)


def _names(code: str, known: str) -> bool:
    if code in GROUPS:
        network, _, symbol = known.partition("_")
        return network == GROUPS[code] and symbol in STABLES
    return code in ("all", known)


def show(invoice: Json, account: str) -> Json:
    """The invoice as tx.cash shows it; `account` is the merchant's name."""
    word, code = WORDS.of(invoice)
    return {
        "id": uuid_of(invoice["id"]).hex,
        "url": invoice["checkout_url"],
        "amount": number(invoice["price"]["amount"]),
        "paid_amount": number(invoice["paid"]["confirmed"]),
        "prices": [_price(invoice, each) for each in invoice["quotes"]],
        "base_currency": invoice["price"]["currency"],
        "name": invoice["name"],
        "description": invoice["description"],
        "account_name": account,
        "status": word,
        "status_code": code,
        "notify_url": invoice["callback_url"],
        "callback_url": invoice["callback_url"],
        "suceess_url": invoice["success_url"],  # so spelled
        "success_url": invoice["success_url"],
        "fail_url": invoice["fail_url"],
        "expires_on": invoice["expires_at"],
        "payments": [_payment(each) for each in invoice["deposits"] if each["counts"]],
        "created_at": invoice["created_at"],
        "updated_at": invoice["updated_at"],
        **_notes(invoice["metadata"]),
    }


def show_address(invoice: Json) -> Json:
    """Where to pay in the selected coin, and how much."""
    [quote] = [each for each in invoice["quotes"] if each["method"] == invoice["selected"]]
    return {
        "invoice_id": uuid_of(invoice["id"]).hex,
        "address": quote["address"],
        "amount": number(quote["amount"]),
        "currency": code_of(quote["method"]),
    }


def _price(invoice: Json, quote: Json) -> Json:
    selected = quote["method"] == invoice["selected"]
    return {
        "payment_currency": code_of(quote["method"]),
        "amount": number(quote["amount"]) if selected else None,
    }


def _payment(deposit: Json) -> Json:
    amount = deposit["amount"]
    return {
        "tx_hash": deposit["tx_hash"],
        "explorer_url": deposit["explorer_url"],
        "amount": None if amount is None else number(amount),
        "date": deposit["block_time"],
        "confirmation": deposit["confirmations"],
        "payment_currency": code_of(deposit["method"]),
    }


def _notes(metadata: Mapping[str, object]) -> Json:
    return {name: metadata.get(name) for name in ("meta_data1", "meta_data2")}
