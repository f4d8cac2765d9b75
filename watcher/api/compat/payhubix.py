"""PayHubix under `/compat/payhubix`: its routes for invoices and its catalogue."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

import storage
from storage.keys import Key
from storage.searching import Search
from watcher import invoicing
from watcher.api.auth import admit, find_key
from watcher.api.compat.face import Face, Fault
from watcher.api.compat.payhubix_models import InvoiceIn, ListQuery
from watcher.api.compat.reading import as_model, read_object, read_query
from watcher.api.compat.serving import (
    Show,
    check_tenant,
    customer_by,
    find_and_reply,
    merchant_name,
    new_invoice,
    not_served,
    open_and_reply,
    reply,
)
from watcher.api.context import ENGINE, POLICY
from watcher.clock import now
from watcher.domain.currencies import MINOR_UNITS
from watcher.domain.invoices import InvoiceStatus
from watcher.domain.money import Price
from watcher.domain.rates import find_rate
from watcher.faces import payhubix
from watcher.faces.ids import read_id
from watcher.faces.payhubix_catalogue import methods_by_id, show_currency, show_fiat
from watcher.quoting import offered_assets
from watcher.refused import BadField
from watcher.render import Json

INVOICES = "/v1/invoices"
SHOP = "/v1/payment/shops/{shop}/invoices"
PERSONAL = "/v1/payment/personal/invoices"
STANDING: dict[str, list[tuple[InvoiceStatus, bool | None]]] = {
    "Created": [(InvoiceStatus.AWAITING_PAYMENT, False)],
    "Pending": [(InvoiceStatus.AWAITING_PAYMENT, True), (InvoiceStatus.CONFIRMING, None)],
    "Partially": [(InvoiceStatus.PARTIALLY_PAID, None)],
    "Paid": [(InvoiceStatus.PAID, None)],
    "PartiallyExpired": [(InvoiceStatus.UNDERPAID, None)],
    "Expired": [(InvoiceStatus.EXPIRED, None)],
    "Canceled": [(InvoiceStatus.CANCELLED, None)],
}
"""What a list is filtered by."""

routes = web.RouteTableDef()


async def authenticate(request: web.Request, scope: str) -> Key:
    """The key in `X-Api-Key`; a shop in the path must be its own."""
    key = admit(request, await find_key(request, request.headers.get("x-api-key", "")), scope)
    if "shop" in request.match_info:
        check_tenant(key, request.match_info["shop"])
    return key


@routes.post(SHOP)
@routes.post(PERSONAL)
@routes.post(INVOICES)
async def create(request: web.Request) -> web.Response:
    """Open an invoice."""
    key = await authenticate(request, "invoices:write")
    asked = await read_object(request)
    body = as_model(InvoiceIn, asked)
    if body.shop_id is not None:
        check_tenant(key, body.shop_id)
    shop = await merchant_name(request, key)
    closing = body.redirect_url or body.callback_url  # where its plugins wait for the payer
    wanted = new_invoice(
        key,
        payhubix.NAME,
        Price(body.currency_amount, body.currency_symbol),
        methods=_methods(request, body.currencies),
        valid_for=body.time_for_payment,
        external_id=body.order_id,
        echo={"shop": shop},
        description=body.order_description,
        customer=customer_by(body.customer_email),
        callback_url=body.callback_url,
        success_url=closing,
        fail_url=closing,
    )
    return await open_and_reply(request, key, wanted, asked, _show(request, shop))


@routes.get(SHOP)
@routes.get(INVOICES)
async def listing(request: web.Request) -> web.Response:
    """A page of the merchant's invoices, each with its place in the whole list."""
    key = await authenticate(request, "invoices:read")
    query = read_query(request, ListQuery)
    shop, policy = await merchant_name(request, key), request.app[POLICY]
    search = Search(
        standing=STANDING[query.status] if query.status else None,
        currency=query.currency_symbol,
        oldest_first=query.created_at == "asc",
    )
    skipped = (query.page - 1) * query.per_page
    async with storage.read(request.app[ENGINE]) as conn:
        total = await storage.searching.count(conn, key.merchant_id, search)
        found = await storage.searching.page(conn, key.merchant_id, search, skipped, query.per_page)
        shown = await invoicing.list_invoices(conn, policy, found, now())
    pages = -(-total // query.per_page)
    message = {
        "page_count": pages,
        "page": query.page,
        "previous_page": query.page - 1,
        "next_page": query.page + 1 if query.page < pages else 0,
        "invoices": [
            {"index": place, **payhubix.show(policy, each, shop)}
            for place, each in enumerate(shown, skipped + 1)
        ],
    }
    return reply(payhubix.envelope(message))


@routes.get(f"{INVOICES}/{{link}}")
@routes.get("/v1/payment/invoices/{link}")
async def show(request: web.Request) -> web.Response:
    """One invoice."""
    key = await authenticate(request, "invoices:read")
    invoice_id = read_id("inv", request.match_info["link"].upper().removeprefix("INV-"))
    shop = await merchant_name(request, key)
    return await find_and_reply(request, key, invoice_id, _show(request, shop))


@routes.get("/v1/currencies/crypto")
async def coins(request: web.Request) -> web.Response:
    """What the merchant's invoices may be paid with."""
    key = await authenticate(request, "invoices:read")
    policy = request.app[POLICY]
    async with storage.read(request.app[ENGINE]) as conn:
        offered = await offered_assets(conn, policy, key.merchant_id, None)
    shown = [
        show_currency(policy, each.method, each.symbol, each.decimals, each.contract is None)
        for each in offered
    ]
    return reply(payhubix.envelope(shown))


@routes.get("/v1/currencies/fiat")
async def fiat(request: web.Request) -> web.Response:
    """What a price may be in: what there is a rate for now."""
    await authenticate(request, "invoices:read")
    policy = request.app[POLICY]
    market = policy.rates.market(now())
    symbols = {asset.symbol for each in policy.networks.values() for asset in each.assets.values()}
    rated = [code for code in MINOR_UNITS if any(find_rate(market, code, s) for s in symbols)]
    return reply(payhubix.envelope([show_fiat(code, MINOR_UNITS[code]) for code in sorted(rated)]))


@routes.route("*", f"{INVOICES}/{{link}}/{{part:(pdf|export)}}")
@routes.route("*", "/v1/payment/shops{shop_id:(/[^/]+)?}")
@routes.route("*", "/v1/{part:(shops|assets|transfers)}{rest:.*}")
async def elsewhere(request: web.Request) -> web.Response:
    """What is no invoice: documents, shops, what a custodian holds."""
    await authenticate(request, "invoices:read")
    raise not_served("wallets are managed by /v1/wallets, merchants by /admin/merchants")


def _methods(request: web.Request, ids: Sequence[int]) -> list[str] | None:
    """What numbers of the catalogue name; None: whatever there is."""
    if not ids:
        return None
    networks = request.app[POLICY].networks.values()
    known = methods_by_id(method for network in networks for method in network.assets)
    for place, id in enumerate(ids):
        if id not in known:
            raise BadField(f"is none of {', '.join(map(str, known))}", field=f"currencies.{place}")
    return [known[id] for id in ids]


def _show(request: web.Request, shop: str) -> Show:
    policy = request.app[POLICY]
    return lambda invoice: payhubix.envelope(payhubix.show(policy, invoice, shop))


def error(request: web.Request, fault: Fault) -> Json:
    """Its plugins print the message, so it is one text."""
    return {"error": True, "number": fault.status, "message": "; ".join(fault.sentences)}


FACE = Face(
    name=payhubix.NAME,
    routes=routes,
    error=error,
    fields={
        "price.currency": "currency_symbol",
        "price.amount": "currency_amount",
        "methods": "currencies",
        "valid_for": "time_for_payment",
        "external_id": "order_id",
    },
)
