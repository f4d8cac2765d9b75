"""The public JSON of webhooks and deliveries."""

from __future__ import annotations

from collections.abc import Sequence

from storage.deliveries import Delivery
from storage.tries import Load, Try
from storage.webhooks import Webhook
from watcher.clock import rfc3339
from watcher.render import Json


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
