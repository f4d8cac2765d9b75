"""Billium under `/compat/billium`: its routes for invoices, and its errors."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web

import storage
from storage import Conn
from storage.searching import Search
from watcher import invoicing
from watcher.api.compat import billium_webhooks
from watcher.api.compat.billium_access import BASE, authenticate
from watcher.api.compat.billium_models import InvoiceIn, ListQuery
from watcher.api.compat.face import RUNNING, Face, Fault
from watcher.api.compat.reading import as_model, read_object, read_query
from watcher.api.compat.serving import (
    change_and_reply,
    find_and_reply,
    new_invoice,
    not_served,
    open_and_reply,
    reply,
    to_checkout,
)
from watcher.api.context import ENGINE, POLICY
from watcher.clock import now
from watcher.domain.invoices import Invoice, InvoiceStatus
from watcher.domain.money import Price
from watcher.faces import billium
from watcher.faces.ids import read_id
from watcher.refused import NotFound, NotOpen
from watcher.render import Json

routes = web.RouteTableDef()


@routes.post(f"{BASE}/invoices")
async def create(request: web.Request) -> web.Response:
    """Open an invoice that may be paid with every method."""
    key = await authenticate(request, "invoices:write", public=True)
    asked = await read_object(request)
    body = as_model(InvoiceIn, asked)
    wanted = new_invoice(
        key,
        billium.NAME,
        Price(body.rawAmount, body.currency),
        name=body.name,
        description=body.description,
        customer=body.customer(),
        success_url=body.redirectUrl,
    )
    return await open_and_reply(request, key, wanted, asked, _show(request), status=201)


@routes.get(f"{BASE}/invoices")
async def listing(request: web.Request) -> web.Response:
    """A page of the merchant's invoices, newest first."""
    key = await authenticate(request, "invoices:read")
    query = read_query(request, ListQuery)
    search = Search(text=query.search, id=_searched_id(query.search))
    policy = request.app[POLICY]
    async with storage.read(request.app[ENGINE]) as conn:
        found = await storage.searching.page(
            conn, key.merchant_id, search, (query.page - 1) * query.limit, query.limit
        )
        total = await storage.searching.count(conn, key.merchant_id, search)
        shown = await invoicing.list_invoices(conn, policy, found, now())
    pagination = {
        "page": query.page,
        "limit": query.limit,
        "total": total,
        "lastPage": -(-total // query.limit),
    }
    data = [billium.show(policy, each) for each in shown]
    return reply({"data": data, "pagination": pagination})


@routes.get(f"{BASE}/invoices/{{id}}")
async def show(request: web.Request) -> web.Response:
    """One invoice."""
    key = await authenticate(request, "invoices:read", public=True)
    invoice_id = read_id("inv", request.match_info["id"])
    return await find_and_reply(request, key, invoice_id, _show(request))


@routes.post(f"{BASE}/invoices/{{id}}/cancel")
async def cancel(request: web.Request) -> web.Response:
    """Close an invoice for which no money was seen; its clients send no body."""
    key = await authenticate(request, "invoices:write")
    invoice_id = read_id("inv", request.match_info["id"])

    async def change(conn: Conn) -> Invoice:
        found = await invoicing.find_invoice(conn, key.merchant_id, invoice_id)
        if found.status is InvoiceStatus.CANCELLED:  # here that is an error, for us it is none
            raise NotOpen("the invoice is cancelled")
        return await invoicing.cancel_invoice(
            conn, request.app[POLICY], key.merchant_id, invoice_id, now()
        )

    return await change_and_reply(request, change, _show(request))


@routes.route("*", f"{BASE}/{{part:(customers|products|wallets)}}{{rest:.*}}")
async def elsewhere(request: web.Request) -> web.Response:
    """What is no invoice: the catalogue, customers, the wallets of a custodian."""
    await authenticate(request, "invoices:read")
    raise not_served("wallets are managed by /v1/wallets; there are no customers or products")


routes.get("/pay/{id}")(to_checkout)


def _show(request: web.Request) -> Callable[[Json], Json]:
    return lambda invoice: billium.show(request.app[POLICY], invoice)


def _searched_id(text: str | None) -> str | None:
    """The invoice that a search may name."""
    try:
        return read_id("inv", text or "")
    except NotFound:
        return None


def error(request: web.Request, fault: Fault) -> Json:
    """A sentence, or several where several fields are wrong."""
    one = len(fault.sentences) == 1
    return {
        "statusCode": fault.status,
        "message": fault.sentences[0] if one else fault.sentences,
        "error": HTTPStatus(fault.status).phrase,
    }


FACE = Face(
    name=billium.NAME,
    routes=[*routes, *billium_webhooks.routes],
    error=error,
    fields={"price.currency": "currency", "price.amount": "rawAmount"},
    statuses={
        "money_seen": 422,
        "not_open": 422,
        "ping_failed": 422,
        RUNNING: 503,
    },
)
