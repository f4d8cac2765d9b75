"""Invoices: open, list, show, select a method, cancel, accept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

import storage
from storage import Conn
from storage.keys import Key
from watcher import accepting, invoicing, refused
from watcher.api import answers
from watcher.api.auth import authorize
from watcher.api.context import ENGINE, POLICY
from watcher.api.describing import Operation
from watcher.api.errors import Problem
from watcher.api.idempotency import perform
from watcher.api.models import AcceptIn, InvoiceIn, InvoiceQuery, SelectIn, seconds
from watcher.api.reading import Nothing, read_body, read_nothing, read_optional, read_query
from watcher.clock import now
from watcher.domain.invoices import Invoice
from watcher.render import Json

routes = web.RouteTableDef()

SECRET_ONLY = (
    "tolerance_percent",
    "confirmations",
    "external_id",
    "callback_url",
    "callback_per_deposit",
)


@routes.post("/v1/invoices")
@Operation(
    answers={201: answers.Invoice},
    scope="invoices:write",
    public=True,
    body=InvoiceIn,
    refuses=(refused.BadField, refused.NoRate, refused.NoAddressLeft, refused.AddressTampered),
)
async def create(request: web.Request) -> web.Response:
    """Open an invoice: every offered method is quoted once, now."""
    key = await authorize(request, "invoices:write", public=True)
    body = await read_body(request, InvoiceIn)
    if key.kind == "public":
        for name in SECRET_ONLY:
            if getattr(body, name) is not None:
                raise Problem(403, f"a public key may not set {name}")
    policy, wanted = request.app[POLICY], body.command(key.kind, key.id)

    async def work(conn: Conn) -> Json:
        invoice = await invoicing.open_invoice(conn, policy, key.merchant_id, wanted, now())
        return await _shown(conn, request, invoice)

    return await perform(request, key, work, status=201)


@routes.get("/v1/invoices")
@Operation(answers={200: answers.Invoices}, scope="invoices:read", query=InvoiceQuery)
async def listing(request: web.Request) -> web.Response:
    """A page of the merchant's invoices, newest first."""
    key = await authorize(request, "invoices:read")
    query = read_query(request, InvoiceQuery)
    async with storage.read(request.app[ENGINE]) as conn:
        found = await storage.invoices.listing(
            conn,
            key.merchant_id,
            status=query.status,
            external_id=query.external_id,
            flag=query.flag,
            created_after=seconds(query.created_after),
            created_before=seconds(query.created_before),
            after=query.place(),
            limit=query.limit + 1,
        )
        page = found[: query.limit]
        data = await invoicing.list_invoices(conn, request.app[POLICY], page, now())
    following = f"{page[-1].created_at}-{page[-1].id}" if len(found) > query.limit else None
    return web.json_response({"data": data, "next": following})


@routes.get("/v1/invoices/{id:[0-9A-Za-z_]+}")
@Operation(
    answers={200: answers.Invoice},
    scope="invoices:read",
    public=True,
    refuses=(refused.AddressTampered,),
)
async def show(request: web.Request) -> web.Response:
    """One invoice with its deposits and timeline."""
    key = await authorize(request, "invoices:read", public=True)
    async with storage.read(request.app[ENGINE]) as conn:
        invoice = await invoicing.find_invoice(conn, key.merchant_id, request.match_info["id"])
        return web.json_response(await _shown(conn, request, invoice))


@routes.post("/v1/invoices/{id:[0-9A-Za-z_]+}/select")
@Operation(
    answers={200: answers.Invoice},
    scope="invoices:write",
    body=SelectIn,
    refuses=(refused.NotOpen, refused.NoAddressLeft, refused.AddressTampered),
)
async def select(request: web.Request) -> web.Response:
    """Choose what to pay with: assigns an address; the quotes were fixed at creation."""
    key = await authorize(request, "invoices:write")
    method = (await read_body(request, SelectIn)).named()

    async def change(conn: Conn) -> Invoice:
        return await invoicing.select_method(
            conn, request.app[POLICY], key.merchant_id, request.match_info["id"], method, now()
        )

    return await _changed(request, key, change)


@routes.post("/v1/invoices/{id:[0-9A-Za-z_]+}/cancel")
@Operation(
    answers={200: answers.Invoice},
    scope="invoices:write",
    body=Nothing,
    refuses=(refused.MoneySeen, refused.NotOpen, refused.AddressTampered),
)
async def cancel(request: web.Request) -> web.Response:
    """Close an invoice for which no money was seen."""
    key = await authorize(request, "invoices:write")
    await read_nothing(request)

    async def change(conn: Conn) -> Invoice:
        return await invoicing.cancel_invoice(
            conn, request.app[POLICY], key.merchant_id, request.match_info["id"], now()
        )

    return await _changed(request, key, change)


@routes.post("/v1/invoices/{id:[0-9A-Za-z_]+}/accept")
@Operation(
    answers={200: answers.Invoice},
    scope="invoices:write",
    body=AcceptIn,
    refuses=(
        refused.NothingToAccept,
        refused.NothingSeen,
        refused.UnknownDeposit,
        refused.DepositOrphaned,
        refused.AddressTampered,
        refused.NoRate,
    ),
)
async def accept(request: web.Request) -> web.Response:
    """Let money count that did not, or take too little for the whole."""
    key = await authorize(request, "invoices:write")
    decision = (await read_optional(request, AcceptIn)).decision()

    async def change(conn: Conn) -> Invoice:
        invoice_id = request.match_info["id"]
        return await accepting.accept(
            conn, request.app[POLICY], key.merchant_id, invoice_id, decision, now()
        )

    return await _changed(request, key, change)


async def _changed(
    request: web.Request, key: Key, change: Callable[[Conn], Awaitable[Invoice]]
) -> web.Response:
    """Make the change in a transaction; answer after its commit."""

    async def work(conn: Conn) -> Json:
        return await _shown(conn, request, await change(conn))

    return await perform(request, key, work)


async def _shown(conn: Conn, request: web.Request, invoice: Invoice) -> Json:
    [shown] = await invoicing.show_invoices(conn, request.app[POLICY], [invoice], now())
    return shown
