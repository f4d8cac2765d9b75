"""What any API may ask of webhooks: add, change, rotate, delete, ping; and deliver again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import storage
from storage import Conn
from storage.deliveries import Delivery
from storage.webhooks import Webhook
from watcher.clock import new_id
from watcher.domain.events import PATTERNS
from watcher.keys import SecretBox, new_signing_secret
from watcher.policy import Policy
from watcher.refused import BadField, NotFound, TooManyWebhooks, WebhookDisabled
from watcher.webhooks.addresses import check_url, lane_host
from watcher.webhooks.dialects import LADDER
from watcher.webhooks.sending import Message
from watcher.webhooks.targets import sign, webhook_target

MOST_WEBHOOKS = 20
ROTATION_SECONDS = 86_400
OFF_REASON = "switched off"


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """What a merchant asks for."""

    url: str
    events: Sequence[str]
    description: str | None = None
    dialect: Literal["native", "billium", "bitgpt"] = "native"
    retry_count: int = len(LADDER)
    timeout_ms: int | None = None
    names: frozenset[str] | None = None
    """Of `events` only what its dialect calls so; None: all."""


def check_callback(policy: Policy, url: str, field: str) -> str:
    """The host of a URL that may be called; raises BadField."""
    try:
        return lane_host(check_url(url, policy.webhooks.allow_private))
    except ValueError as error:
        raise BadField(str(error), field=field) from None


def check_events(patterns: Sequence[str]) -> frozenset[str]:
    """What is subscribed to; raises BadField naming the pattern that is unknown."""
    for place, pattern in enumerate(patterns):
        if pattern not in PATTERNS:
            raise BadField(
                "is no type of event; there are * and invoice.*, deposit.* or exact types",
                field=f"events.{place}",
            )
    if not patterns:
        raise BadField("must name at least one type of event", field="events")
    return frozenset(patterns)


async def add_webhook(
    conn: Conn, box: SecretBox, policy: Policy, merchant_id: str, wanted: NewWebhook, now: int
) -> tuple[Webhook, str]:
    """Store a webhook; it is told of every event from now on. Its secret exists here only.

    Raises:
        BadField: a URL that may not be called, an unknown type of event.
        TooManyWebhooks: there are enough.
    """
    host = check_callback(policy, wanted.url, "url")
    events = check_events(wanted.events)
    if await storage.webhooks.count(conn, merchant_id) >= MOST_WEBHOOKS:
        raise TooManyWebhooks
    secret = new_signing_secret()
    webhook = Webhook(
        id=new_id("wh"),
        merchant_id=merchant_id,
        url=wanted.url,
        host=host,
        events=events,
        dialect=wanted.dialect,
        description=wanted.description,
        retry_count=wanted.retry_count,
        timeout_ms=wanted.timeout_ms,
        state="enabled",
        reason=None,
        secret=box.seal(secret),
        former_secret=None,
        former_until=None,
        created_at=now,
        updated_at=now,
        names=wanted.names,
    )
    await storage.webhooks.add(conn, webhook)
    return webhook, secret


async def find_webhook(
    conn: Conn, merchant_id: str | None, webhook_id: str, *, lock: bool = False
) -> Webhook:
    """The webhook, if it is this merchant's, or anyone's for None; raises NotFound.

    `lock` keeps others from changing it until the transaction ends.
    """
    if lock:
        await storage.webhooks.lock(conn, [webhook_id])
    webhook = await storage.webhooks.get(conn, webhook_id)
    if webhook is None or merchant_id not in (None, webhook.merchant_id):
        raise NotFound("there is no such webhook")
    return webhook


async def change_webhook(
    conn: Conn,
    policy: Policy,
    merchant_id: str,
    webhook_id: str,
    changes: Mapping[str, Any],
    now: int,
) -> Webhook:
    """Set some of `url`, `events`, `description`, `retry_count`, `timeout_ms` and `enabled`.

    With `events` go `names`, where its dialect has words of its own for them.

    What waits goes where the webhook leads then. While it is disabled nothing new is queued for
    it; what waited is held, and due when it is enabled.

    Raises:
        NotFound: no such webhook of this merchant.
        BadField: as for a new one.
    """
    webhook = await find_webhook(conn, merchant_id, webhook_id, lock=True)
    values = dict(changes)
    enabled = values.pop("enabled", None)
    if "events" in values:
        values = {"names": None, **values, "events": check_events(values["events"])}
    if "url" in values:
        values["host"] = check_callback(policy, values["url"], "url")
        await storage.deliveries.reroute(conn, webhook_id, values["host"])
    if enabled is True:
        values |= {"state": "enabled", "reason": None}
        await storage.deliveries.release(conn, webhook_id)
    elif enabled is False and webhook.state == "enabled":
        values |= {"state": "disabled", "reason": OFF_REASON}
        await storage.deliveries.hold(conn, webhook_id)
    await storage.webhooks.change(conn, webhook_id, now, **values)
    return await find_webhook(conn, merchant_id, webhook_id)


async def rotate_secret(
    conn: Conn, box: SecretBox, merchant_id: str, webhook_id: str, now: int
) -> tuple[Webhook, str]:
    """A new secret, shown once; for a day the former one signs beside it.

    Raises:
        NotFound: no such webhook of this merchant.
    """
    webhook = await find_webhook(conn, merchant_id, webhook_id, lock=True)
    secret = new_signing_secret()
    await storage.webhooks.change(
        conn,
        webhook_id,
        now,
        secret=box.seal(secret),
        former_secret=webhook.secret,
        former_until=now + ROTATION_SECONDS,
    )
    return await find_webhook(conn, merchant_id, webhook_id), secret


async def delete_webhook(conn: Conn, merchant_id: str, webhook_id: str, now: int) -> None:
    """Tell it of nothing any more; the log of its deliveries stays.

    Raises:
        NotFound: no such webhook of this merchant.
    """
    await find_webhook(conn, merchant_id, webhook_id, lock=True)
    await storage.webhooks.change(conn, webhook_id, now, state="deleted")
    await storage.deliveries.abandon(conn, webhook_id, now)


def ping_message(policy: Policy, box: SecretBox, webhook: Webhook, now: int) -> Message:
    """A signed delivery that is no event, to be sent once; raises CannotSign."""
    event_id, target = new_id("evt"), webhook_target(webhook, now)
    post = target.dialect.ping(policy, webhook, event_id, now)
    message = Message(webhook.url, post.headers, post.body)
    return sign(message, target, box, event_id, now)


async def find_delivery(conn: Conn, merchant_id: str, delivery_id: str) -> Delivery:
    """The merchant's delivery; raises NotFound."""
    delivery = await storage.deliveries.get(conn, merchant_id, delivery_id)
    if delivery is None:
        raise NotFound("there is no such delivery")
    return delivery


async def redeliver(conn: Conn, merchant_id: str, delivery_id: str) -> Delivery:
    """Let a delivery be due now, whatever became of it, with all its retries before it.

    A callback that ended is told of what comes from now on, too.

    Raises:
        NotFound: no such delivery of this merchant, or its webhook was deleted.
        WebhookDisabled: nobody would be told.
    """
    delivery = await find_delivery(conn, merchant_id, delivery_id)
    if delivery.webhook_id is not None:
        webhook = await find_webhook(conn, merchant_id, delivery.webhook_id)
        if webhook.state != "enabled":
            raise WebhookDisabled
        await storage.deliveries.again(conn, delivery_id, webhook.host)
    else:
        await storage.callbacks.resume(conn, delivery.invoice_id)
        await storage.deliveries.again(conn, delivery_id, delivery.host)
    return await find_delivery(conn, merchant_id, delivery_id)
