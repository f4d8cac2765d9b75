"""How tx.cash and PayHubix call back: by their invoice object, without a signature of their own."""

from __future__ import annotations

from collections.abc import Sequence

from watcher.domain.events import EventType
from watcher.faces import txcash
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


def tell_txcash(telling: Telling) -> Sequence[Post]:
    """The invoice, at every step of its status and every payment that counts."""
    event, invoice = telling.event, telling.event.data["invoice"]
    came = event.type is EventType.DEPOSIT_DETECTED and event.data["deposit"]["counts"]
    if event.type not in _MOVED and not came:
        return []
    body = txcash.show(invoice, invoice["face"]["echo"]["account_name"])
    return [Post(event.id, encode(body), facts(invoice))]


TXCASH = Dialect(tell_txcash, ping_standard, sign_standard, is_2xx, LADDER)
