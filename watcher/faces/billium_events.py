"""Billium's webhooks: which of its events come of ours, what they say and how they are signed."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterator, Mapping, Sequence

from storage.webhooks import Webhook
from watcher.clock import rfc3339
from watcher.domain.events import EventType
from watcher.domain.money import amount_of
from watcher.faces.billium import WORDS, method_id, payment_word, received, selected_quote
from watcher.faces.ids import derived, hex_id
from watcher.faces.methods import network_of
from watcher.faces.values import encode, facts, milliseconds, number, padded
from watcher.policy import Policy
from watcher.render import Json
from watcher.webhooks.dialect import Dialect, Post, Telling, is_2xx, sign_standard

NAMES: Mapping[EventType, Sequence[str]] = {
    EventType.INVOICE_CREATED: ["invoice.created"],
    EventType.INVOICE_METHOD_SELECTED: ["payment.created"],
    EventType.INVOICE_UPDATED: ["invoice.updated"],
    EventType.INVOICE_AWAITING_PAYMENT: ["invoice.updated"],
    EventType.INVOICE_PARTIALLY_PAID: ["invoice.updated"],
    EventType.INVOICE_CONFIRMING: ["invoice.updated"],
    EventType.INVOICE_REVERTED: ["invoice.updated"],
    EventType.INVOICE_PAID: [
        "invoice.paid",
        "payment.paid",
        "invoice.overpaid",
        "payment.overpaid",
    ],
    EventType.INVOICE_UNDERPAID: ["invoice.underpaid", "payment.underpaid"],
    EventType.INVOICE_EXPIRED: ["invoice.expired", "payment.expired"],
    EventType.INVOICE_CANCELLED: ["invoice.cancelled"],
    EventType.DEPOSIT_DETECTED: ["payment.detected"],
    EventType.DEPOSIT_CONFIRMED: ["payment.confirmed"],
    EventType.DEPOSIT_ORPHANED: ["payment.updated"],
}
"""What may come of each of our events."""
PATTERNS = (
    "invoice.*",
    "payment.*",
    *sorted({name for names in NAMES.values() for name in names}),
)
WITH_MONEY = {"invoice.paid", "invoice.overpaid", "invoice.underpaid"}
LADDER = tuple(min(60 * 2**rung, 3600) for rung in range(10))
AGAIN = {408, 425, 429}
"""Of the answers that are no success, and no fault of the server, what may be asked again."""


def matches(patterns: Collection[str], name: str) -> bool:
    """Whether a subscription includes this event of Billium's."""
    return name in patterns or f"{name.partition('.')[0]}.*" in patterns


def sources(patterns: Collection[str]) -> frozenset[str]:
    """The types of ours that something subscribed to may come of."""
    return frozenset(
        type.value
        for type, names in NAMES.items()
        if any(matches(patterns, name) for name in names)
    )


def tell(telling: Telling) -> Sequence[Post]:
    """One event of ours as one or two of Billium's; what was not subscribed to is left out."""
    event, invoice = telling.event, telling.event.data["invoice"]
    names = _told(event.type, invoice)
    posts = []
    for place, name in enumerate(names):
        one = len(names) == 1
        id = hex_id("evt", event.id) if one else derived("evt", event.id, str(place))
        patterns = telling.webhook.names if telling.webhook else None
        if patterns is None or matches(patterns, name):
            data = _data(telling.policy, name, invoice, event.data.get("deposit"))
            posts.append(_post(telling, id, name, data))
    return posts


def ping(policy: Policy, webhook: Webhook, event_id: str, now: int) -> Post:
    """A test of a webhook."""
    data = {
        "webhookId": hex_id("wh", webhook.id),
        "merchantId": hex_id("mer", webhook.merchant_id),
    }
    id = hex_id("evt", event_id)
    body = {"event": "ping", "id": id, "data": data, "timestamp": milliseconds(rfc3339(now))}
    return Post(id, encode(body), _headers(webhook, id, hex_id("dlv", event_id)))


def sign(secrets: Sequence[str], id: str, now: int, body: bytes) -> Mapping[str, str]:
    """Its signature, of time and body by the newest secret as it is written; and ours."""
    own = f"t={now},v1={signature(secrets[0], now, body)}"
    return {**sign_standard(secrets, id, now, body), "x-signature": own}


def signature(secret: str, now: int, body: bytes) -> str:
    """The hex digits of a signature made at this time."""
    return hmac.new(secret.encode(), b"%d.%s" % (now, body), "sha256").hexdigest()


def _told(type: EventType, invoice: Json) -> list[str]:
    """Which of Billium's events this one is."""
    names = list(NAMES[type])
    if type is EventType.INVOICE_PAID:
        over = WORDS.of(invoice) == WORDS.overpaid
        return names[2:] if over else names[:2]
    if type is EventType.INVOICE_EXPIRED and invoice["selected"] is None:
        return names[:1]
    return names


def _post(telling: Telling, id: str, name: str, data: Json) -> Post:
    timestamp = milliseconds(rfc3339(telling.event.created_at))
    body = {"event": name, "id": id, "data": data, "timestamp": timestamp}
    headers = _headers(telling.webhook, id, hex_id("dlv", telling.delivery_id))
    return Post(id, encode(body), {**headers, **facts(telling.event.data["invoice"])})


def _headers(webhook: Webhook | None, id: str, delivery_id: str) -> dict[str, str]:
    named = {"x-webhook-id": hex_id("wh", webhook.id)} if webhook else {}
    return {**named, "x-event-id": id, "x-delivery-id": delivery_id}


def _data(policy: Policy, name: str, invoice: Json, deposit: Json | None) -> Json:
    whose = {
        "invoiceId": hex_id("inv", invoice["id"]),
        "merchantId": hex_id("mer", invoice["merchant_id"]),
    }
    metadata = {"metadata": invoice["metadata"]}
    if name.startswith("payment."):
        settled = name not in ("payment.created", "payment.detected", "payment.confirmed")
        word = WORDS.of(invoice) if settled and deposit is None else None
        chosen = name == "payment.created"  # what was paid before in another coin is not told again
        payment = _payment(policy, invoice, None if chosen else deposit or _last(invoice))
        status = {"status": word} if word else {}
        return {"paymentId": payment.pop("paymentId"), **whose, **payment, **status, **metadata}
    amount = {"amount": number(invoice["price"]["amount"])}
    if name == "invoice.created":
        return {**whose, **amount, **_expected(invoice), **metadata}
    if name in WITH_MONEY:
        return {**whose, **_money(policy, name, invoice), **metadata}
    return {**whose, "status": WORDS.of(invoice), **metadata}


def _expected(invoice: Json) -> Json:
    """What is known of the payment when an invoice is opened: its method only where selected."""
    quote = selected_quote(invoice)
    return {
        "cryptocurrency": quote["asset"] if quote else None,
        "network": network_of(quote["method"]) if quote else None,
        "status": WORDS.of(invoice),
        "paymentAddress": quote["address"] if quote else None,
        "expectedCryptoAmount": _due(quote),
        "expiresAt": milliseconds(invoice["expires_at"]),
    }


def _money(policy: Policy, name: str, invoice: Json) -> Json:
    """What an invoice was closed with: its newest deposit, and all that came in that coin."""
    payment = _payment(policy, invoice, _last(invoice))
    expected = {"expectedCryptoAmount": payment["expectedCryptoAmount"]}
    return {
        "paymentId": payment["paymentId"],
        "amount": number(invoice["price"]["amount"]),
        "cryptocurrency": payment["cryptocurrency"],
        "network": payment["network"],
        **(expected if name == "invoice.underpaid" else {}),
        "receivedCryptoAmount": _total(policy, invoice),
        "txHash": payment["txHash"],
    }


def _payment(policy: Policy, invoice: Json, deposit: Json | None) -> Json:
    """A deposit, or the selected method that nothing was paid in yet."""
    chosen = selected_quote(invoice)
    method = deposit["method"] if deposit else invoice["selected"]
    quote = next((each for each in invoice["quotes"] if each["method"] == method), chosen)
    named = method_id(invoice, method) if method else None
    return {
        "paymentId": hex_id("pay", deposit["id"]) if deposit else named,
        "cryptocurrency": deposit["asset"] if deposit else quote["asset"] if quote else None,
        "network": network_of(method) if method else None,
        "status": payment_word(deposit) if deposit else "CREATED",
        "paymentAddress": deposit["to"] if deposit else quote["address"] if quote else None,
        "expectedCryptoAmount": _due(quote if quote and quote["method"] == method else None),
        "receivedCryptoAmount": received(invoice, policy, deposit) if deposit else None,
        "txHash": deposit["tx_hash"] if deposit else None,
    }


def _counting(invoice: Json) -> Iterator[Json]:
    return (each for each in invoice["deposits"] if each["counts"])


def _last(invoice: Json) -> Json | None:
    """The newest deposit that counts."""
    return max(_counting(invoice), key=lambda each: (each["detected_at"], each["id"]), default=None)


def _total(policy: Policy, invoice: Json) -> str | None:
    """All that counts in the coin of the newest deposit."""
    last = _last(invoice)
    if last is None or last["amount"] is None:
        return None
    same = [each for each in _counting(invoice) if each["method"] == last["method"]]
    _, _, decimals = (received(invoice, policy, last) or "").partition(".")
    units = sum(int(each["amount_units"]) for each in same)
    return padded(amount_of(units, len(decimals)), len(decimals))


def _due(quote: Json | None) -> str | None:
    return padded(quote["amount"], quote["decimals"]) if quote else None


def _ends(status: int) -> bool:
    """Whether the receiver itself says that asking again is of no use."""
    return 300 <= status < 500 and status not in AGAIN


DIALECT = Dialect(tell, ping, sign, is_2xx, LADDER, ends=_ends)
