"""What a dialect is, and our own: Standard Webhooks."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from storage.events import StoredEvent
from storage.webhooks import Webhook
from watcher.clock import rfc3339
from watcher.domain.events import EventType
from watcher.keys import signing_key
from watcher.policy import Policy
from watcher.render import event_body
from watcher.webhooks.sending import Answer

LADDER = (5, 30, 120, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400)
"""Seconds from each failed try to the next; after the last rung a delivery is dead."""
GONE = 410


@dataclass(frozen=True, slots=True)
class Telling:
    """An event on its way to one place."""

    policy: Policy
    event: StoredEvent
    delivery_id: str
    webhook: Webhook | None
    """None: to the invoice's `callback_url`."""
    before: EventType | None = None
    """Of a deposit that left the chain: what this place was last told of it; None: nothing."""


@dataclass(frozen=True, slots=True)
class Post:
    """One POST: the same bytes on every try."""

    id: str
    """By which a receiver knows it again."""
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of receiver is spoken to."""

    tell: Callable[[Telling], Sequence[Post]]
    """What it is told of an event, in order; nothing where the dialect has no words for it."""
    ping: Callable[[Policy, Webhook, str, int], Post]
    """A test of a webhook, that is no event, by id and time."""
    sign: Callable[[Sequence[str], str, int, bytes], Mapping[str, str]]
    """Headers from the secrets that hold now, newest first, the post's id, the time and body."""
    accepts: Callable[[Answer], bool]
    """Whether this answer, which has a status, is success."""
    ladder: Sequence[int]
    ends: Callable[[int], bool] = lambda status: status == GONE
    """Whether after this status there is no use in another try."""
    timeout_ms: int | None = None
    """For an answer, where the webhook does not say; None: as configured."""


def tell_standard(telling: Telling) -> Sequence[Post]:
    """The event as the log has it."""
    return [Post(telling.event.id, event_body(telling.policy, telling.event))]


def ping_standard(policy: Policy, webhook: Webhook, event_id: str, now: int) -> Post:
    """The shape of an event, without a number."""
    body = {
        "id": event_id,
        "seq": None,
        "type": "ping",
        "created_at": rfc3339(now),
        "livemode": policy.livemode,
        "data": {"webhook_id": webhook.id, "merchant_id": webhook.merchant_id},
    }
    return Post(event_id, json.dumps(body, separators=(",", ":")).encode())


def sign_standard(
    secrets: Sequence[str], event_id: str, now: int, body: bytes
) -> Mapping[str, str]:
    """The headers of Standard Webhooks, https://www.standardwebhooks.com: a signature by secret."""
    signed = b"%s.%d.%s" % (event_id.encode(), now, body)
    digests = [hmac.digest(signing_key(secret), signed, "sha256") for secret in secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(
            f"v1,{base64.b64encode(digest).decode()}" for digest in digests
        ),
    }


def is_2xx(answer: Answer) -> bool:
    """Whether the receiver took it."""
    return answer.status is not None and 200 <= answer.status < 300


NATIVE = Dialect(tell_standard, ping_standard, sign_standard, is_2xx, LADDER)
