"""How tx.cash and PayHubix call back: by their invoice object, without a signature of their own."""

from __future__ import annotations

from collections.abc import Sequence

from watcher.domain.events import EventType
from watcher.faces import payhubix, txcash
from watcher.faces.values import encode, facts
from watcher.webhooks.dialect import (
    LADDER,
    Dialect,
    Post,
    Telling,
    is_2xx,
    ping_standard,
    sign_standard,
)
from watcher.webhooks.sending import Answer

_CLOSED = {
    EventType.INVOICE_PAID,
    EventType.INVOICE_UNDERPAID,
    EventType.INVOICE_EXPIRED,
    EventType.INVOICE_CANCELLED,
    EventType.INVOICE_REVERTED,
}
_MOVED = _CLOSED | {
    EventType.INVOICE_AWAITING_PAYMENT,  # back again, as a reorg took what was there
    EventType.INVOICE_PARTIALLY_PAID,
    EventType.INVOICE_CONFIRMING,
}
_SETTLED = {"paid", "underpaid"}
"""Without a further step of the status by which another amount would be told."""


def tell_txcash(telling: Telling) -> Sequence[Post]:
    """The invoice, at every step of its status, every payment that counts, and what changes it."""
    event, invoice = telling.event, telling.event.data["invoice"]
    came = event.type is EventType.DEPOSIT_DETECTED and event.data["deposit"]["counts"]
    changed = event.type is EventType.INVOICE_UPDATED and invoice["status"] in _SETTLED
    if event.type not in _MOVED and not came and not changed:
        return []
    body = txcash.show(invoice, invoice["face"]["echo"]["account_name"])
    return [Post(event.id, encode(body), facts(invoice))]


def tell_payhubix(telling: Telling) -> Sequence[Post]:
    """The answer of a GET, once closed or open again: a plugin takes all but Paid for a failure."""
    event, invoice = telling.event, telling.event.data["invoice"]
    if event.type not in _CLOSED:
        return []
    shown = payhubix.show(telling.policy, invoice, invoice["face"]["echo"]["shop"])
    return [Post(event.id, encode(payhubix.envelope(shown)), facts(invoice))]


def is_2xx_or_3xx(answer: Answer) -> bool:
    """Whether the receiver took it; a plugin sends whoever calls on to a page of its shop."""
    return answer.status is not None and 200 <= answer.status < 400


TXCASH = Dialect(tell_txcash, ping_standard, sign_standard, is_2xx, LADDER)
PAYHUBIX = Dialect(tell_payhubix, ping_standard, sign_standard, is_2xx_or_3xx, LADDER)
