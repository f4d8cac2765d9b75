"""KUNA Pay under `/compat/kuna`: its routes for invoices, and its errors."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

import storage
from storage.searching import Order, Search
from watcher import invoicing
from watcher.api.compat.face import Face, Fault
from watcher.api.compat.kuna_access import authenticate
from watcher.api.compat.kuna_models import FIELDS, AssetQuery, InvoiceIn, ListQuery
from watcher.api.compat.reading import as_model, read_object, read_query
from watcher.api.compat.serving import (
    find_and_reply,
    new_invoice,
    not_served,
    open_and_reply,
    reply,
)
from watcher.api.context import ENGINE, POLICY
from watcher.api.models import seconds
from watcher.clock import now
from watcher.domain.money import Price
from watcher.faces import kuna
from watcher.faces.ids import read_id, uuid_of
from watcher.faces.kuna_assets import assets
from watcher.render import Json

CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    413: "PAYLOAD_TOO_LARGE",
    429: "TOO_MANY_REQUESTS",
    500: "INTERNAL_SERVER_ERROR",
    501: "NOT_IMPLEMENTED",
    503: "SERVICE_UNAVAILABLE",
}
ORDERS: dict[str, Order] = {
    "createdAt": "created",
    "completedAt": "closed",
    "invoiceAssetCode": "currency",
    "paymentAssetCode": "selected",
    "status": "status",
}

routes = web.RouteTableDef()


@routes.get("/v1/invoice/assets")
async def catalogue(request: web.Request) -> web.Response:
    """The currencies that an invoice may be priced in now."""
    await authenticate(request, "invoices:read")
    query = read_query(request, AssetQuery)
    found = assets(request.app[POLICY], now())
    return reply({"data": found[query.skip : query.skip + query.take]})


@routes.get("/v1/invoice/questionnaire")
async def questionnaire(request: web.Request) -> web.Response:
    """What the checkout page can ask."""
    await authenticate(request, "invoices:read")
    return reply({"data": [{"name": name} for name in FIELDS]})


@routes.post("/v1/invoice")
async def create(request: web.Request) -> web.Response:
    """Open an invoice that may be paid with every method."""
    key = await authenticate(request, "invoices:write")
    asked = await read_object(request)
    body = as_model(InvoiceIn, asked)
    end = body.customization
    category = {"productCategory": body.productCategory} if body.productCategory else {}
    wanted = new_invoice(
        key,
        kuna.NAME,
        Price(body.amount, body.asset),
        external_id=body.externalOrderId,
        echo=category,
        description=body.productDescription,
        questionnaire=body.questionnaire.asked() if body.questionnaire else None,
        callback_url=body.callbackUrl,
        callback_per_deposit=body.shouldSendTransactionalCallback,
        success_url=end.redirectUrl if end else None,
        redirect_title=end.redirectButtonTitle if end else None,
    )
    return await open_and_reply(request, key, wanted, asked, _opened, status=201)


@routes.get("/v1/invoice")
async def listing(request: web.Request) -> web.Response:
    """The merchant's invoices, by default newest first."""
    key = await authenticate(request, "invoices:read")
    query = read_query(request, ListQuery)
    search = Search(
        external_id=query.externalOrderId,
        currency=query.invoiceAssetCode,
        symbol=query.paymentAssetCode,
        created=(seconds(query.createdFrom), seconds(query.createdTo)),
        closed=(seconds(query.completedFrom), seconds(query.completedTo)),
        order=ORDERS[query.orderBy],
    )
    async with storage.read(request.app[ENGINE]) as conn:
        found = await storage.searching.page(conn, key.merchant_id, search, query.skip, query.take)
        shown = await invoicing.list_invoices(conn, request.app[POLICY], found, now())
    return reply({"data": [kuna.show_brief(each) for each in shown]})


@routes.get("/v1/invoice/{id}")
async def show(request: web.Request) -> web.Response:
    """One invoice with its deposits."""
    key = await authenticate(request, "invoices:read")
    invoice_id = read_id("inv", request.match_info["id"])
    return await find_and_reply(request, key, invoice_id, _shown(request))


@routes.route("*", "/v1/{part:(transaction|asset|withdraw)}{rest:.*}")
async def elsewhere(request: web.Request) -> web.Response:
    """What a custodian has: balances, withdrawals, its own transactions."""
    await authenticate(request, "invoices:read")
    raise not_served("what was paid is in /v1/deposits of our own API; there is no custody")


def _opened(invoice: Json) -> Json:
    link = invoice["checkout_url"]
    return {"data": {"id": str(uuid_of(invoice["id"])), "paymentLink": link}}


def _shown(request: web.Request) -> Callable[[Json], Json]:
    return lambda invoice: {"data": kuna.show(request.app[POLICY], invoice)}


def error(request: web.Request, fault: Fault) -> Json:
    """One entry for each wrong field."""
    code = CODES.get(fault.status, "BAD_REQUEST")
    return {"errors": [{"code": code, "message": each} for each in fault.sentences]}


FACE = Face(
    name=kuna.NAME,
    routes=[*routes],
    error=error,
    fields={
        "price.currency": "asset",
        "price.amount": "amount",
        "callback_url": "callbackUrl",
    },
)
