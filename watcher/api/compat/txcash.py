"""tx.cash under `/compat/txcash`: its routes for invoices. Its facts are in the documentation."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

import storage
from storage import Conn
from storage.keys import Key
from storage.searching import Search
from watcher import invoicing
from watcher.api.auth import admit, bearer, find_key
from watcher.api.compat.face import Face, Fault
from watcher.api.compat.reading import as_model, read_object, read_query
from watcher.api.compat.serving import (
    change_and_reply,
    find_and_reply,
    merchant_name,
    new_invoice,
    open_and_reply,
    reply,
)
from watcher.api.compat.txcash_models import AddressIn, InvoiceIn, ListQuery
from watcher.api.context import ENGINE, POLICY
from watcher.api.errors import Problem
from watcher.clock import now
from watcher.domain.invoices import Invoice, InvoiceStatus
from watcher.domain.money import Method, Price
from watcher.faces import txcash
from watcher.faces.ids import read_id
from watcher.refused import BadField, MoneySeen
from watcher.render import Json

BASE = "{base:(/invoice/v1(/testnet|/mainnet)?)?}/invoice"
MOST_FIELDS = 100
CODES = {
    "missing": "required",
    "string_too_long": "too_long",
    "out_of_range": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
    "no_rate": "unsupported",
    "unsupported": "unsupported",
    "not_open": "closed",
    "money_seen": "closed",
    "unauthorized": "unauthorized",
    "forbidden": "forbidden",
    "not_found": "not_found",
    "idempotency_key_reused": "conflict",
    "idempotency_key_in_use": "conflict",
    "too_many_requests": "rate_limited",
    "internal_error": "internal",
    "unavailable": "internal",
}
"""What its clients are told in place of our codes; of all others that it is `invalid`."""

routes = web.RouteTableDef()


async def authenticate(request: web.Request, scope: str) -> Key:
    """The key in either usual header; nobody asks for money in the wrong sort of network."""
    text = bearer(request) or request.headers.get("x-api-key", "")
    key = admit(request, await find_key(request, text), scope)
    network = request.match_info["base"].rpartition("/")[2]
    ours = "mainnet" if request.app[POLICY].livemode else "testnet"
    if network in ("mainnet", "testnet") and network != ours:
        raise Problem(404, f"this service is a {ours} one; use /{ours} in the path")
    return key


@routes.post(BASE)
async def create(request: web.Request) -> web.Response:
    """Open an invoice."""
    key = await authenticate(request, "invoices:write")
    asked = await read_form(request)
    body = as_model(InvoiceIn, asked)
    account = await merchant_name(request, key)
    wanted = new_invoice(
        key,
        txcash.NAME,
        Price(body.amount, body.currency),
        methods=_methods(request, body.payment_currencies),
        valid_for=body.valid_for,
        echo={"account_name": account},
        name=body.name,
        description=body.description,
        metadata=body.metadata(),
        callback_url=body.callback_url,
        callback_per_deposit=True,
        success_url=body.success_url,
        fail_url=body.fail_url,
    )
    return await open_and_reply(
        request, key, wanted, asked, lambda invoice: txcash.show(invoice, account)
    )


@routes.get(BASE)
async def listing(request: web.Request) -> web.Response:
    """A page of the merchant's invoices, newest first."""
    key = await authenticate(request, "invoices:read")
    query = read_query(request, ListQuery)
    account = await merchant_name(request, key)
    async with storage.read(request.app[ENGINE]) as conn:
        found = await storage.searching.page(
            conn, key.merchant_id, Search(), query.offset, query.limit
        )
        shown = await invoicing.list_invoices(conn, request.app[POLICY], found, now())
    return reply([txcash.show(each, account) for each in shown])


@routes.get(f"{BASE}/{{id}}")
async def show(request: web.Request) -> web.Response:
    """One invoice."""
    key = await authenticate(request, "invoices:read")
    invoice_id = read_id("inv", request.match_info["id"])
    account = await merchant_name(request, key)
    return await find_and_reply(
        request, key, invoice_id, lambda invoice: txcash.show(invoice, account)
    )


@routes.post(f"{BASE}/{{id}}/payment/address")
async def address(request: web.Request) -> web.Response:
    """Choose what to pay with, and learn where."""
    key = await authenticate(request, "invoices:write")
    invoice_id = read_id("inv", request.match_info["id"])
    code = as_model(AddressIn, await read_form(request)).payment_currency.strip().lower()

    async def change(conn: Conn) -> Invoice:
        found = await invoicing.find_invoice(conn, key.merchant_id, invoice_id)
        codes = {txcash.code_of(each.method): each.method for each in found.quotes}
        if code not in codes:
            reason = f"is none of {', '.join(codes)}, with which this invoice may be paid"
            raise BadField(reason, field="payment_currency")
        if found.seen and found.selected != codes[code]:  # its answer would ask for all again
            reason = "money was seen for this invoice: the rest is asked for on its checkout page"
            raise MoneySeen(reason, field="payment_currency")
        if found.selected == codes[code] and found.status is InvoiceStatus.CONFIRMING:
            return found  # seen money ends the choice, but what was chosen may be asked again
        return await invoicing.select_method(
            conn, request.app[POLICY], key.merchant_id, invoice_id, codes[code], now()
        )

    return await change_and_reply(request, change, txcash.show_address)


async def read_form(request: web.Request) -> dict[str, Any]:
    """The body as JSON, whatever it is called, or as a form."""
    text = await request.read()
    if request.content_type != "application/x-www-form-urlencoded" or text.lstrip()[:1] == b"{":
        return await read_object(request)
    try:
        return dict(parse_qsl(text.decode(), max_num_fields=MOST_FIELDS))
    except ValueError as error:
        raise Problem(400, "the body is neither JSON nor a form") from error


def _methods(request: web.Request, codes: list[str] | None) -> list[Method] | None:
    """What codes and groups name; None: whatever there is."""
    if codes is None or "all" in codes:
        return None
    listed = [each for one in request.app[POLICY].networks.values() for each in one.assets]
    try:
        return [Method(each) for each in txcash.named_methods(codes, listed)]
    except ValueError as error:
        field = {"field": "payment_currencies", "code": "unsupported", "message": str(error)}
        raise Problem(422, f"payment_currencies {error}", errors=[field]) from error


def error(request: web.Request, fault: Fault) -> Json:
    """A sentence, and what is wrong with which field."""
    fields = fault.fields or [{"field": "", "code": fault.code, "message": fault.sentences[0]}]
    return {
        "message": "Validation failed" if fault.fields else fault.sentences[0],
        "errors": [
            {
                "resource": "invoice",
                "code": CODES.get(each["code"], "invalid"),
                "field": each["field"].partition(".")[0],
                "description": f"{each['field']} {each['message']}".strip(),
            }
            for each in fields
        ],
    }


FACE = Face(
    name=txcash.NAME,
    routes=routes,
    error=error,
    fields={
        "price.currency": "currency",
        "price.amount": "amount",
        "methods": "payment_currencies",
    },
    statuses={"not_open": 400, "money_seen": 400},
)
