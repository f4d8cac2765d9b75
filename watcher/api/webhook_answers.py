"""What is answered about webhooks and deliveries."""

from __future__ import annotations

from typing import Literal

from watcher.api.answers import Event, Listing, Shape, Time


class Load(Shape):
    """What waits to be delivered, and what was given up."""

    pending: int
    failing: int
    dead: int
    oldest_seconds: int


class Webhook(Shape):
    """A webhook with what is queued for it; never its secret."""

    id: str
    object: Literal["webhook"]
    merchant_id: str
    url: str
    events: list[str]
    dialect: str
    description: str | None
    retry_count: int
    timeout_ms: int | None
    enabled: bool
    disabled_reason: str | None
    former_secret_until: Time | None
    deliveries: Load
    created_at: Time
    updated_at: Time


class WebhookWithSecret(Webhook):
    """The only answer with the secret."""

    secret: str


class Webhooks(Listing[Webhook]):
    """All webhooks."""


class Ping(Shape):
    """What came back from the webhook."""

    ok: bool
    status: int | None
    duration_ms: int
    answer: str | None
    error: str | None


class SentRequest(Shape):
    """Where a try went, with the headers that it had."""

    url: str
    headers: dict[str, str]


class Try(Shape):
    """One try, and what came back."""

    number: int
    at: Time
    duration_ms: int
    request: SentRequest
    status: int | None
    answer: str | None
    error: str | None


class Delivery(Shape):
    """One event on its way to one place; `webhook_id` is null for a callback."""

    id: str
    object: Literal["delivery"]
    event_id: str
    seq: int
    invoice_id: str
    webhook_id: str | None
    state: Literal["waiting", "held", "delivered", "dead"]
    tries: int
    next_try_at: Time | None
    created_at: Time
    finished_at: Time | None
    log: list[Try]


class DeliveryWithEvent(Delivery):
    """The same with the event that it brings."""

    event: Event


class Deliveries(Listing[Delivery]):
    """A page of deliveries."""
