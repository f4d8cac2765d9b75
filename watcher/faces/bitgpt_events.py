"""BitGPT's webhooks: which of its events come of ours, what they say and how they are signed."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping, Sequence

from storage.webhooks import Webhook
from watcher.clock import rfc3339
from watcher.domain.events import EventType
from watcher.faces.bitgpt import prefixed, show, show_payment, show_time
from watcher.faces.values import encode, facts
from watcher.policy import Policy
from watcher.render import Json
from watcher.webhooks.dialect import LADDER, Dialect, Post, Telling, is_2xx, sign_standard

NAMES: Mapping[EventType, str] = {
    EventType.DEPOSIT_DETECTED: "payment.created",
    EventType.DEPOSIT_CONFIRMED: "payment.updated",
    EventType.DEPOSIT_ORPHANED: "payment.updated",
    EventType.INVOICE_PAID: "order.paid",
}


def sources(names: Collection[str]) -> list[str]:
    """The types of ours that these events of BitGPT's come of."""
    return sorted(type.value for type, name in NAMES.items() if name in names)


def tell(telling: Telling) -> Sequence[Post]:
    """The invoice that was paid, or a payment; nothing of money that does not count."""
    event, invoice = telling.event, telling.event.data["invoice"]
    deposit = event.data.get("deposit")
    if event.type not in NAMES or (deposit and deposit["reason"] is not None):
        return []
    payload = show_payment(invoice, deposit) if deposit else show(invoice)
    body = {
        **_address(telling.webhook),
        "event": NAMES[event.type],
        "resource_id": payload["id"],
        "payload": payload,
        "timestamp": _milliseconds(event.created_at),
    }
    return [_post(event.id, body, facts(invoice))]


def ping(policy: Policy, webhook: Webhook, event_id: str, now: int) -> Post:
    """A test of a webhook, which the original has not."""
    body = {
        **_address(webhook),
        "event": "ping",
        "resource_id": prefixed("webhook", webhook.id),
        "payload": {},
        "timestamp": _milliseconds(now),
    }
    return _post(event_id, body, {})


def sign(secrets: Sequence[str], id: str, now: int, body: bytes) -> Mapping[str, str]:
    """Its signature, of the body by the newest secret as it is written; and ours."""
    own = signature(secrets[0], body)
    return {**sign_standard(secrets, id, now, body), "X-Webhook-Signature": own}


def signature(secret: str, body: bytes) -> str:
    """The hex digits of a signature; the time is in the body."""
    return hmac.new(secret.encode(), body, "sha256").hexdigest()


def _address(webhook: Webhook | None) -> Json:
    return {"webhook_id": prefixed("webhook", webhook.id), "url": webhook.url} if webhook else {}


def _milliseconds(seconds: int) -> str:
    return show_time(rfc3339(seconds)) + ".000"


def _post(id: str, body: Json, headers: Mapping[str, str]) -> Post:
    named = {"X-Webhook-Event": body["event"], "X-Webhook-Timestamp": body["timestamp"]}
    return Post(id, encode(body), {**named, **headers})


DIALECT = Dialect(tell, ping, sign, is_2xx, LADDER)
