"""KUNA Pay: what its invoices look like, its callbacks, and how they are signed."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Final

from watcher.domain.events import EventType
from watcher.faces.ids import uuid_of
from watcher.faces.methods import is_native, network_of, symbol_of
from watcher.faces.values import encode, facts, milliseconds
from watcher.faces.words import Words
from watcher.policy import Policy
from watcher.render import Json
from watcher.webhooks.dialect import Dialect, Post, Telling, ping_standard, sign_standard

NAME: Final = "kuna"
WORDS = Words(
    unselected="CREATED",
    awaiting_payment="PAYMENT_AWAITING",
    partially_paid="PARTIALLY_PAID",
    confirming="CONFIRMATION_AWAITING",
    paid="PAID",
    overpaid="PAID",
    underpaid="PARTIALLY_PAID",
    expired="TIMEOUT",
    cancelled="DEACTIVATED",
)
CLOSED = {"paid", "underpaid", "expired", "cancelled"}
DEPOSIT_WORDS = {"pending": "Processing", "confirmed": "Processed", "orphaned": "Canceled"}
STATUS_CALLBACK, DEPOSIT_CALLBACK = "Invoice", "InvoiceDeposit"
TOLD = {
    EventType.INVOICE_METHOD_SELECTED,
    EventType.INVOICE_AWAITING_PAYMENT,  # back again: a reorg took what was seen, or time back
    EventType.INVOICE_PARTIALLY_PAID,
    EventType.INVOICE_CONFIRMING,
    EventType.INVOICE_PAID,
    EventType.INVOICE_UNDERPAID,
    EventType.INVOICE_EXPIRED,
    EventType.INVOICE_CANCELLED,
    EventType.INVOICE_REVERTED,
}
LADDER = tuple(2**number for number in range(2, 13))
"""The n-th of 12 tries comes 2**n seconds after the one before; ours makes the first at once."""
TIMEOUT_MS = 2000


def show(policy: Policy, invoice: Json) -> Json:
    """The invoice with its deposits: those that count, then the others with their reasons."""
    brief, deposits = show_brief(invoice), invoice["deposits"]
    live = [each for each in deposits if each["status"] != "orphaned"]
    ordered = sorted(live, key=lambda each: not each["counts"])
    return {
        "id": brief["id"],
        "status": brief["status"],
        "externalOrderId": brief["externalOrderId"],
        "addressId": brief["addressId"],
        "creatorId": str(uuid_of(invoice["merchant_id"])),
        "invoiceAmount": brief["invoiceAmount"],
        "paymentAmount": brief["paymentAmount"],
        "invoiceAssetCode": brief["invoiceAssetCode"],
        "paymentAssetCode": brief["paymentAssetCode"],
        "transactions": [_transaction(policy, each) for each in ordered],
        "productCategory": echo_of(invoice).get("productCategory"),
        "productDescription": invoice["description"],
        "isCreatedByApi": invoice["created_with"] in ("secret", "public"),
        "expireAt": brief["expireAt"],
        "completedAt": brief["completedAt"],
        "createdAt": brief["createdAt"],
        "updatedAt": milliseconds(invoice["updated_at"]),
    }


def show_brief(invoice: Json) -> Json:
    """The invoice as lists have it."""
    chosen = invoice["selected"]
    quote = next((each for each in invoice["quotes"] if each["method"] == chosen), None)
    return {
        "id": str(uuid_of(invoice["id"])),
        "status": WORDS.of(invoice),
        "externalOrderId": invoice["external_id"],
        "addressId": quote["address"] if quote else None,
        "invoiceAmount": invoice["price"]["amount"],
        "paymentAmount": quote["amount"] if quote else None,
        "invoiceAssetCode": invoice["price"]["currency"],
        "paymentAssetCode": quote["asset"] if quote else None,
        "expireAt": milliseconds(invoice["expires_at"]),
        "completedAt": milliseconds(_closed_at(invoice)),
        "createdAt": milliseconds(invoice["created_at"]),
    }


def code_of(policy: Policy, method: str) -> str:
    """How a method is called: a network's own coin by its symbol, a token with the network."""
    symbol = symbol_of(method)
    return symbol if is_native(policy, method) else f"{symbol}_{network_of(method).upper()}"


def echo_of(invoice: Json) -> Json:
    """What was sent to this face and means nothing to us."""
    face = invoice["face"]
    return dict(face["echo"]) if face and face["name"] == NAME else {}


def tell(telling: Telling) -> Sequence[Post]:
    """A callback at every change of status; of a deposit when it is sure, and when that ends."""
    event, invoice = telling.event, telling.event.data["invoice"]
    if event.type in TOLD:
        named = {"type": STATUS_CALLBACK, "companyId": str(uuid_of(invoice["merchant_id"]))}
        body = {"event": STATUS_CALLBACK, "data": {**show(telling.policy, invoice), **named}}
    elif deposit := _told_deposit(telling):
        data = _deposit(telling.policy, invoice, deposit, event.id)
        body = {"event": DEPOSIT_CALLBACK, "data": data}
    else:
        return []
    return [Post(event.id, encode(body), facts(invoice))]


def sign(secrets: Sequence[str], id: str, now: int, body: bytes) -> Mapping[str, str]:
    """Its signature of the body, by the signing secret of the key that opened it; and ours."""
    own = signature(secrets[0], body)
    return {**sign_standard(secrets, id, now, body), "kun-signature": own}


def signature(private_key: str, signed: bytes) -> str:
    """The hex digits by which it signs requests and callbacks."""
    return hmac.new(private_key.encode(), signed, "sha384").hexdigest()


def _told_deposit(telling: Telling) -> Json | None:
    """A deposit that is told of: a retraction only of what was told to be sure before."""
    type, deposit = telling.event.type, telling.event.data.get("deposit")
    sure = type is EventType.DEPOSIT_CONFIRMED and deposit and deposit["counts"]
    told = telling.before is EventType.DEPOSIT_CONFIRMED
    retracted = type is EventType.DEPOSIT_ORPHANED and told
    return deposit if sure or retracted else None


def _transaction(policy: Policy, deposit: Json) -> Json:
    return {
        "id": str(uuid_of(deposit["id"])),
        "address": deposit["to"],
        "amount": deposit["amount"],
        "asset": deposit["asset"],
        "creatorComment": None,
        "fee": "0",
        "processedAmount": _processed(deposit),
        "reason": [deposit["reason"]] if deposit["reason"] else [],
        "status": DEPOSIT_WORDS[deposit["status"]],
        "type": "Deposit",
        "paymentCode": code_of(policy, deposit["method"]),
        "createdAt": milliseconds(deposit["detected_at"]),
        "updatedAt": milliseconds(deposit["confirmed_at"] or deposit["detected_at"]),
    }


def _deposit(policy: Policy, invoice: Json, deposit: Json, event_id: str) -> Json:
    return {
        "id": str(uuid_of(deposit["id"])),
        "type": DEPOSIT_CALLBACK,
        "companyId": str(uuid_of(invoice["merchant_id"])),
        "invoiceId": str(uuid_of(invoice["id"])),
        "paymentCode": code_of(policy, deposit["method"]),
        "asset": deposit["asset"],
        "amount": deposit["amount"],
        "fee": "0",
        "processedAmount": _processed(deposit),
        "status": DEPOSIT_WORDS[deposit["status"]],
        "address": deposit["to"],
        "memo": None,
        "txId": deposit["tx_hash"],
        "callbackId": event_id,
        "createdAt": milliseconds(deposit["detected_at"]),
        "updatedAt": milliseconds(deposit["confirmed_at"] or deposit["detected_at"]),
    }


def _processed(deposit: Json) -> str | None:
    """What of it is sure: all or nothing."""
    amount: str | None = deposit["amount"]
    return amount if deposit["status"] == "confirmed" and deposit["counts"] else "0"


def _closed_at(invoice: Json) -> str | None:
    """When it was closed as it is now."""
    if invoice["status"] not in CLOSED or not invoice["timeline"]:
        return None
    at: str = invoice["timeline"][-1]["at"]
    return at


DIALECT = Dialect(
    tell,
    ping_standard,
    sign,
    accepts=lambda answer: answer.status == 200,
    ladder=LADDER,
    ends=lambda status: False,
    timeout_ms=TIMEOUT_MS,
)
