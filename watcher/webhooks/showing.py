"""The public JSON of webhooks, deliveries and pings."""

from __future__ import annotations

from collections.abc import Sequence

import storage
from storage import Conn
from storage.deliveries import Delivery
from storage.tries import Load, Try
from storage.webhooks import Webhook
from watcher.clock import rfc3339
from watcher.render import Json
from watcher.webhooks.sending import Answer


async def show_webhooks(conn: Conn, webhooks: Sequence[Webhook], now: int) -> list[Json]:
    """These webhooks with what is queued for each, in this order."""
    loads = await storage.tries.load_by_webhook(conn, [each.id for each in webhooks])
    return [render_webhook(each, loads.get(each.id, Load()), now) for each in webhooks]


async def show_deliveries(conn: Conn, deliveries: Sequence[Delivery]) -> list[Json]:
    """These deliveries with their logs, in this order."""
    tries = await storage.tries.of_deliveries(conn, [each.id for each in deliveries])
    return [render_delivery(each, tries[each.id]) for each in deliveries]


def render_webhook(webhook: Webhook, load: Load, now: int) -> Json:
    """A webhook with what is queued for it; never its secret."""
    rotating = webhook.former_until is not None and now < webhook.former_until
    return {
        "id": webhook.id,
        "object": "webhook",
        "merchant_id": webhook.merchant_id,
        "url": webhook.url,
        "events": sorted(webhook.events),
        "dialect": webhook.dialect,
        "description": webhook.description,
        "retry_count": webhook.retry_count,
        "timeout_ms": webhook.timeout_ms,
        "enabled": webhook.state == "enabled",
        "disabled_reason": webhook.reason,
        "former_secret_until": _time(webhook.former_until) if rotating else None,
        "deliveries": render_load(load, now),
        "created_at": rfc3339(webhook.created_at),
        "updated_at": rfc3339(webhook.updated_at),
    }


def render_load(load: Load, now: int) -> Json:
    """What waits and what was given up."""
    oldest = 0 if load.oldest_at is None else max(0, now - load.oldest_at)
    return {
        "pending": load.pending,
        "failing": load.failing,
        "dead": load.dead,
        "oldest_seconds": oldest,
    }


def render_delivery(delivery: Delivery, tries: Sequence[Try]) -> Json:
    """A delivery with its log, oldest try first."""
    return {
        "id": delivery.id,
        "object": "delivery",
        "event_id": delivery.event_id,
        "seq": delivery.seq,
        "invoice_id": delivery.invoice_id,
        "webhook_id": delivery.webhook_id,
        "state": delivery.state,
        "tries": delivery.tries,
        "next_try_at": rfc3339(delivery.due_at) if delivery.state == "waiting" else None,
        "created_at": rfc3339(delivery.created_at),
        "finished_at": _time(delivery.finished_at),
        "log": [_render_try(each) for each in tries],
    }


def render_ping(answer: Answer) -> Json:
    """What came back from a ping, and whether that accepts it."""
    return {
        "ok": answer.status is not None and 200 <= answer.status < 300,
        "status": answer.status,
        "duration_ms": answer.duration_ms,
        "answer": answer.body,
        "error": answer.error,
    }


def _render_try(tried: Try) -> Json:
    return {
        "number": tried.number,
        "at": rfc3339(tried.at),
        "duration_ms": tried.duration_ms,
        "request": {"url": tried.url, "headers": tried.headers},
        "status": tried.status,
        "answer": tried.answer,
        "error": tried.error,
    }


def _time(seconds: int | None) -> str | None:
    return None if seconds is None else rfc3339(seconds)
