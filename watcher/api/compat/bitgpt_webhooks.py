"""BitGPT's webhooks: added and listed by its clients, kept and delivered as ours."""

from __future__ import annotations

from aiohttp import web

import storage
from storage import Conn
from storage.webhooks import Webhook
from watcher.api.compat.bitgpt_access import authenticate, check_accept, envelope
from watcher.api.compat.bitgpt_models import WebhookIn
from watcher.api.compat.reading import as_model, read_object
from watcher.api.compat.serving import reply
from watcher.api.context import BOX, ENGINE, POLICY
from watcher.api.limits import count
from watcher.clock import now, rfc3339
from watcher.faces.bitgpt import NAME, prefixed, show_time
from watcher.faces.bitgpt_events import NAMES, sources
from watcher.keys import CannotOpen, SecretBox
from watcher.render import Json
from watcher.webhooks.managing import NewWebhook, add_webhook

SCOPE = "webhooks:write"
WEBHOOKS = "/developers/webhooks"
SHOWN = 4
"""Characters of a secret, at either end, by which its owner knows it again."""

routes = web.RouteTableDef()


@routes.post(WEBHOOKS)
async def create(request: web.Request) -> web.Response:
    """Add a webhook; its secret is in this answer only."""
    key = await authenticate(request, SCOPE)
    body, app = as_model(WebhookIn, await read_object(request)), request.app
    wanted = NewWebhook(
        url=body.url,
        events=sources(body.events),
        names=frozenset(body.events),
        description=f"{body.label}\n{body.description or ''}".rstrip("\n"),
        dialect="bitgpt",
    )

    async def work(conn: Conn) -> Json:
        made, secret = await add_webhook(
            conn, app[BOX], app[POLICY], key.merchant_id, wanted, now()
        )
        return _show(made, secret)

    made = await storage.repeat(app[ENGINE], work)
    return reply(envelope(request, made, 201), status=201)


@routes.get(WEBHOOKS)
async def listing(request: web.Request) -> web.Response:
    """All of the merchant's that speak this dialect, oldest first."""
    key = await authenticate(request, SCOPE)
    async with storage.read(request.app[ENGINE]) as conn:
        found = await storage.webhooks.listing(conn, key.merchant_id)
    box = request.app[BOX]
    shown = [_listed(each, _masked(box, each.secret)) for each in found if each.dialect == NAME]
    return reply(envelope(request, shown))


@routes.get(f"{WEBHOOKS}/events")
async def events(request: web.Request) -> web.Response:
    """What a webhook may be told of; for anybody."""
    check_accept(request)
    count(request)
    return reply(envelope(request, sorted(set(NAMES.values()))))


def _show(webhook: Webhook, secret: str | None) -> Json:
    """A webhook; its name is the first line of our description."""
    return {
        "id": prefixed("webhook", webhook.id),
        "secret": secret,
        "label": (webhook.description or "").partition("\n")[0],
        "url": webhook.url,
        "created_at": show_time(rfc3339(webhook.created_at)),
        "updated_at": show_time(rfc3339(webhook.updated_at)),
        "events": sorted(webhook.names if webhook.names is not None else set(NAMES.values())),
    }


def _listed(webhook: Webhook, secret: str | None) -> Json:
    description = (webhook.description or "").partition("\n")[2]
    enabled = int(webhook.state == "enabled")
    return {**_show(webhook, secret), "description": description or None, "enabled": enabled}


def _masked(box: SecretBox, sealed: bytes) -> str | None:
    """Both ends of a secret; None where the key file does not open it."""
    try:
        secret = box.open(sealed)
    except CannotOpen:
        return None
    return f"{secret[:SHOWN]}…{secret[-SHOWN:]}"
