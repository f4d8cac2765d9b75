"""Billium's webhooks: registered by its clients, kept and delivered as ours."""

from __future__ import annotations

from aiohttp import web

import storage
from storage import Conn
from storage.keys import Key
from storage.webhooks import Webhook
from watcher.api.compat.billium_access import BASE, authenticate
from watcher.api.compat.billium_models import WebhookChanges, WebhookIn
from watcher.api.compat.reading import as_model, read_object
from watcher.api.compat.serving import reply
from watcher.api.context import BOX, ENGINE, POLICY
from watcher.api.errors import Problem
from watcher.api.webhooks import PING_SECONDS, SENDER
from watcher.clock import now
from watcher.faces.billium import NAME
from watcher.faces.billium_events import PATTERNS
from watcher.faces.ids import hex_id, read_id
from watcher.keys import CannotOpen, SecretBox
from watcher.refused import NotFound
from watcher.render import Json
from watcher.webhooks import managing
from watcher.webhooks.targets import CannotSign, webhook_target

SCOPE = "webhooks:write"
ONE = f"{BASE}/webhooks/{{id}}"
SHOWN = 4
"""Characters of a secret, at either end, by which its owner knows it again."""

routes = web.RouteTableDef()


@routes.post(f"{BASE}/webhooks")
async def create(request: web.Request) -> web.Response:
    """Add a webhook; its secret is in this answer only."""
    key = await authenticate(request, SCOPE)
    wanted = as_model(WebhookIn, await read_object(request)).command()
    app = request.app

    async def work(conn: Conn) -> Json:
        made, secret = await managing.add_webhook(
            conn, app[BOX], app[POLICY], key.merchant_id, wanted.new, now()
        )
        if not wanted.active:
            off = {"enabled": False}
            made = await managing.change_webhook(
                conn, app[POLICY], key.merchant_id, made.id, off, now()
            )
        return _show(app[BOX], made, secret)

    return reply(await storage.repeat(app[ENGINE], work), status=201)


@routes.get(f"{BASE}/webhooks")
async def listing(request: web.Request) -> web.Response:
    """All of the merchant's that speak this dialect, oldest first."""
    key = await authenticate(request, SCOPE)
    async with storage.read(request.app[ENGINE]) as conn:
        found = await storage.webhooks.listing(conn, key.merchant_id)
    return reply([_show(request.app[BOX], each) for each in found if each.dialect == NAME])


@routes.get(ONE)
async def show(request: web.Request) -> web.Response:
    """One webhook."""
    key = await authenticate(request, SCOPE)
    async with storage.read(request.app[ENGINE]) as conn:
        return reply(_show(request.app[BOX], await _find(conn, request, key)))


@routes.patch(ONE)
async def change(request: web.Request) -> web.Response:
    """Change a webhook, switch it off or on."""
    key = await authenticate(request, SCOPE)
    changes = as_model(WebhookChanges, await read_object(request)).given()

    async def work(conn: Conn) -> Json:
        webhook_id, policy = (await _find(conn, request, key)).id, request.app[POLICY]
        changed = await managing.change_webhook(
            conn, policy, key.merchant_id, webhook_id, changes, now()
        )
        return _show(request.app[BOX], changed)

    return reply(await storage.repeat(request.app[ENGINE], work))


@routes.delete(ONE)
async def delete(request: web.Request) -> web.Response:
    """Tell it of nothing any more."""
    key = await authenticate(request, SCOPE)

    async def work(conn: Conn) -> None:
        found = await _find(conn, request, key)
        await managing.delete_webhook(conn, key.merchant_id, found.id, now())

    await storage.repeat(request.app[ENGINE], work)
    return reply({})


@routes.post(f"{ONE}/ping")
async def ping(request: web.Request) -> web.Response:
    """Send one signed test now; 422 says what came back instead of success."""
    key = await authenticate(request, SCOPE)
    app = request.app
    async with storage.read(app[ENGINE]) as conn:
        webhook = await _find(conn, request, key)
    try:
        message = managing.ping_message(app[POLICY], app[BOX], webhook, now())
    except CannotSign as error:
        raise Problem(422, f"the ping was not sent: {error}", code="ping_failed") from error
    timeout_seconds = min(PING_SECONDS, (webhook.timeout_ms or PING_SECONDS * 1000) / 1000)
    answer = await app[SENDER].post(message, timeout_seconds)
    if not webhook_target(webhook, now()).accepted(answer):
        said = answer.error or f"the receiver answered {answer.status}"
        raise Problem(422, f"the ping failed: {said}", code="ping_failed")
    return reply({}, status=201)


async def _find(conn: Conn, request: web.Request, key: Key) -> Webhook:
    """The webhook that the path names; those of another dialect are not Billium's."""
    webhook_id = read_id("wh", request.match_info["id"])
    found = await managing.find_webhook(conn, key.merchant_id, webhook_id)
    if found.dialect != NAME:
        raise NotFound("there is no such webhook")
    return found


def _show(box: SecretBox, webhook: Webhook, secret: str | None = None) -> Json:
    """A webhook; its whole secret only where it was just made."""
    whole = {"secretKey": secret} if secret else {}
    return {
        "id": hex_id("wh", webhook.id),
        "merchantId": hex_id("mer", webhook.merchant_id),
        "url": webhook.url,
        "events": sorted(PATTERNS if webhook.names is None else webhook.names),
        "isActive": webhook.state == "enabled",
        "description": webhook.description,
        "retryCount": webhook.retry_count,
        "timeout": webhook.timeout_ms,
        "webhookSecrets": [
            {
                "id": hex_id("whs", webhook.id),
                "webhookId": hex_id("wh", webhook.id),
                "secretKeyPreview": _preview(box, webhook.secret),
                "isActive": True,
                **whole,
            }
        ],
    }


def _preview(box: SecretBox, sealed: bytes) -> str | None:
    """Both ends of a secret; None where the key file does not open it."""
    try:
        prefix, _, secret = box.open(sealed).partition("_")
    except CannotOpen:
        return None
    return f"{prefix}_{secret[:SHOWN]}…{secret[-SHOWN:]}"
