"""Webhooks and their deliveries."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

import storage
from storage import Conn
from storage.webhooks import Webhook
from watcher import refused
from watcher.api import webhook_answers
from watcher.api.auth import authorize
from watcher.api.context import BOX, ENGINE, POLICY
from watcher.api.describing import Operation
from watcher.api.errors import Problem
from watcher.api.idempotency import perform, perform_outside
from watcher.api.reading import Nothing, read_body, read_nothing, read_optional, read_query
from watcher.api.webhook_models import DeliveryQuery, WebhookChanges, WebhookIn
from watcher.clock import now
from watcher.render import Json, render_event
from watcher.webhooks import managing
from watcher.webhooks.sending import Sender
from watcher.webhooks.showing import render_ping, show_deliveries, show_webhooks
from watcher.webhooks.targets import CannotSign

SCOPE = "webhooks:write"
PING_SECONDS = 10
ID = "{id:[0-9A-Za-z_]+}"

SENDER: web.AppKey[Sender] = web.AppKey("sender")
"""For pings only: events are delivered by the role that delivers."""

routes = web.RouteTableDef()


async def open_sender(app: web.Application) -> AsyncIterator[None]:
    """What pings go through, while the application runs."""
    app[SENDER] = Sender(app[POLICY].webhooks.allow_private)
    yield
    await app[SENDER].close()


@routes.post("/v1/webhooks")
@Operation(
    answers={201: webhook_answers.WebhookWithSecret},
    scope=SCOPE,
    body=WebhookIn,
    refuses=(refused.TooManyWebhooks,),
)
async def create(request: web.Request) -> web.Response:
    """Add a webhook; its secret is in this answer only."""
    key = await authorize(request, SCOPE)
    wanted = (await read_body(request, WebhookIn)).command()
    app = request.app

    async def work(conn: Conn) -> Json:
        webhook, secret = await managing.add_webhook(
            conn, app[BOX], app[POLICY], key.merchant_id, wanted, now()
        )
        return {**await _shown(conn, webhook), "secret": secret}

    return await perform(request, key, work, status=201)


@routes.get("/v1/webhooks")
@Operation(answers={200: webhook_answers.Webhooks}, scope=SCOPE)
async def listing(request: web.Request) -> web.Response:
    """The merchant's webhooks, oldest first, with what is queued for each: one page of all."""
    key = await authorize(request, SCOPE)
    async with storage.read(request.app[ENGINE]) as conn:
        found = await storage.webhooks.listing(conn, key.merchant_id)
        data = await show_webhooks(conn, found, now())
    return web.json_response({"data": data, "next": None})


@routes.get(f"/v1/webhooks/{ID}")
@Operation(answers={200: webhook_answers.Webhook}, scope=SCOPE)
async def show(request: web.Request) -> web.Response:
    """One webhook."""
    key = await authorize(request, SCOPE)
    async with storage.read(request.app[ENGINE]) as conn:
        webhook = await managing.find_webhook(conn, key.merchant_id, request.match_info["id"])
        return web.json_response(await _shown(conn, webhook))


@routes.patch(f"/v1/webhooks/{ID}")
@Operation(answers={200: webhook_answers.Webhook}, scope=SCOPE, body=WebhookChanges)
async def change(request: web.Request) -> web.Response:
    """Change a webhook, switch it off or on."""
    key = await authorize(request, SCOPE)
    changes = (await read_optional(request, WebhookChanges)).given()

    async def work(conn: Conn) -> Json:
        webhook = await managing.change_webhook(
            conn,
            request.app[POLICY],
            key.merchant_id,
            request.match_info["id"],
            changes,
            now(),
        )
        return await _shown(conn, webhook)

    return web.json_response(await storage.repeat(request.app[ENGINE], work))


@routes.delete(f"/v1/webhooks/{ID}")
@Operation(answers={204: None}, scope=SCOPE)
async def delete(request: web.Request) -> web.Response:
    """Tell it of nothing any more."""
    key = await authorize(request, SCOPE)

    async def work(conn: Conn) -> None:
        await managing.delete_webhook(conn, key.merchant_id, request.match_info["id"], now())

    await storage.repeat(request.app[ENGINE], work)
    return web.Response(status=204)


@routes.post(f"/v1/webhooks/{ID}/rotate")
@Operation(
    answers={200: webhook_answers.WebhookWithSecret},
    scope=SCOPE,
    body=Nothing,
)
async def rotate(request: web.Request) -> web.Response:
    """A new secret, in this answer only; the former one signs beside it for a day."""
    key = await authorize(request, SCOPE)
    await read_nothing(request)

    async def work(conn: Conn) -> Json:
        webhook, secret = await managing.rotate_secret(
            conn, request.app[BOX], key.merchant_id, request.match_info["id"], now()
        )
        return {**await _shown(conn, webhook), "secret": secret}

    return await perform(request, key, work)


@routes.post(f"/v1/webhooks/{ID}/ping")
@Operation(answers={200: webhook_answers.Ping}, scope=SCOPE, body=Nothing)
async def ping(request: web.Request) -> web.Response:
    """Send one signed test now, enabled or not, and say what came back."""
    key = await authorize(request, SCOPE)
    await read_nothing(request)
    app = request.app

    async def act() -> Json:
        async with storage.read(app[ENGINE]) as conn:
            webhook = await managing.find_webhook(conn, key.merchant_id, request.match_info["id"])
        try:
            message = managing.ping_message(app[POLICY], app[BOX], webhook, now())
        except CannotSign as error:
            raise Problem(409, f"the ping was not sent: {error}") from error
        return render_ping(await app[SENDER].post(message, PING_SECONDS))

    return await perform_outside(request, key, act)


@routes.get(f"/v1/webhooks/{ID}/deliveries")
@Operation(answers={200: webhook_answers.Deliveries}, scope=SCOPE, query=DeliveryQuery)
async def deliveries_of(request: web.Request) -> web.Response:
    """A page of a webhook's deliveries with their logs, newest first."""
    key = await authorize(request, SCOPE)
    async with storage.read(request.app[ENGINE]) as conn:
        webhook = await managing.find_webhook(conn, key.merchant_id, request.match_info["id"])
        return await _page(conn, request, key.merchant_id, webhook.id)


@routes.get("/v1/deliveries")
@Operation(answers={200: webhook_answers.Deliveries}, scope=SCOPE, query=DeliveryQuery)
async def deliveries(request: web.Request) -> web.Response:
    """A page of the deliveries of all webhooks and callbacks, newest first."""
    key = await authorize(request, SCOPE)
    async with storage.read(request.app[ENGINE]) as conn:
        return await _page(conn, request, key.merchant_id, None)


@routes.get(f"/v1/deliveries/{ID}")
@Operation(answers={200: webhook_answers.DeliveryWithEvent}, scope=SCOPE)
async def delivery(request: web.Request) -> web.Response:
    """One delivery with its log, and the event that it brings."""
    key = await authorize(request, SCOPE)
    async with storage.read(request.app[ENGINE]) as conn:
        found = await managing.find_delivery(conn, key.merchant_id, request.match_info["id"])
        event = (await storage.events.by_ids(conn, [found.event_id]))[found.event_id]
        [shown] = await show_deliveries(conn, [found])
    return web.json_response({**shown, "event": render_event(request.app[POLICY], event)})


@routes.post(f"/v1/deliveries/{ID}/redeliver")
@Operation(
    answers={202: webhook_answers.Delivery},
    scope=SCOPE,
    body=Nothing,
    refuses=(refused.WebhookDisabled,),
)
async def redeliver(request: web.Request) -> web.Response:
    """Deliver again, whatever became of it: due now."""
    key = await authorize(request, SCOPE)
    await read_nothing(request)

    async def work(conn: Conn) -> Json:
        found = await managing.redeliver(conn, key.merchant_id, request.match_info["id"])
        return (await show_deliveries(conn, [found]))[0]

    return await perform(request, key, work, status=202)


async def _page(
    conn: Conn, request: web.Request, merchant_id: str, webhook_id: str | None
) -> web.Response:
    query = read_query(request, DeliveryQuery)
    found = await storage.deliveries.listing(
        conn,
        merchant_id,
        webhook_id=webhook_id,
        invoice_id=query.invoice_id,
        state=query.state,
        after=query.after,
        limit=query.limit + 1,
    )
    page = found[: query.limit]
    more = len(found) > query.limit
    data = await show_deliveries(conn, page)
    return web.json_response({"data": data, "next": page[-1].id if more else None})


async def _shown(conn: Conn, webhook: Webhook) -> Json:
    return (await show_webhooks(conn, [webhook], now()))[0]
