"""BitGPT 402pay under `/compat/bitgpt`: its routes for invoices. Its reads are POST, too."""

from __future__ import annotations

from aiohttp import web

import storage
from storage import Conn
from storage.searching import Search
from watcher import invoicing
from watcher.api.compat import bitgpt_payments, bitgpt_webhooks
from watcher.api.compat.bitgpt_access import (
    authenticate,
    authenticate_if_named,
    envelope,
    error_envelope,
    read_filters,
)
from watcher.api.compat.bitgpt_models import InvoiceIn, InvoicesIn, ShowIn
from watcher.api.compat.face import Face, Fault
from watcher.api.compat.reading import as_model, read_object
from watcher.api.compat.serving import (
    customer_by,
    new_invoice,
    not_served,
    open_and_reply,
    reply,
    shown_invoice,
    to_checkout,
)
from watcher.api.context import ENGINE, POLICY
from watcher.clock import now
from watcher.domain.invoices import Invoice, InvoiceStatus
from watcher.domain.money import Price, rounded_down
from watcher.domain.rates import find_rate
from watcher.faces import bitgpt
from watcher.faces.bitgpt_currencies import CURRENCIES
from watcher.faces.ids import read_id
from watcher.faces.values import padded
from watcher.invoicing import NewInvoice
from watcher.merchants import find_merchant
from watcher.policy import Policy
from watcher.refused import BadField
from watcher.render import Json

BATCH = 500

routes = web.RouteTableDef()


@routes.post("/invoices")
async def create(request: web.Request) -> web.Response:
    """Open an invoice over the sum of its items."""
    key = await authenticate(request, "invoices:write")
    asked = await read_object(request)
    body = as_model(InvoiceIn, asked)
    price = body.price()
    wanted = new_invoice(
        key,
        bitgpt.NAME,
        price,
        echo={"currency": body.word, "price_usd": _dollars(request.app[POLICY], price)},
        items=[each.model_dump() for each in body.items],
        customer=customer_by(body.customer_email),
        metadata=body.metadata,
        success_url=body.redirect_url,
    )
    return await open_and_reply(
        request,
        key,
        wanted,
        asked,
        lambda each: envelope(request, bitgpt.show(each), 201),
        status=201,
    )


@routes.post("/invoices/list")
async def listing(request: web.Request) -> web.Response:
    """The merchant's invoices, newest first."""
    key = await authenticate(request, "invoices:read")
    wanted = as_model(InvoicesIn, await read_filters(request))
    async with storage.read(request.app[ENGINE]) as conn:
        found = await _find(conn, key.merchant_id, wanted)
        shown = await invoicing.list_invoices(conn, request.app[POLICY], found, now())
    return reply(envelope(request, [bitgpt.show(each) for each in shown]))


@routes.post("/invoices/validate")
async def validate(request: web.Request) -> web.Response:
    """Whether such an invoice could be opened, and what it would come to; opens nothing."""
    key = await authenticate(request, "invoices:write")
    body = as_model(InvoiceIn, await read_object(request))
    price, policy = body.price(), request.app[POLICY]
    async with storage.read(request.app[ENGINE]) as conn:
        wanted = NewInvoice(price, finer=True)
        await invoicing.quote_methods(conn, policy, key.merchant_id, wanted, now())
    dollars = _dollars(policy, price)
    data = {
        "currency": body.word,
        "price": padded(price.amount, bitgpt.PLACES),
        **({"price_usd": padded(dollars, bitgpt.PLACES)} if dollars is not None else {}),
    }
    return reply(envelope(request, data))


@routes.post("/invoices/{id}")
async def show(request: web.Request) -> web.Response:
    """One invoice; who knows its id may ask without a key, and is told less."""
    key = await authenticate_if_named(request, "invoices:read")
    body = as_model(ShowIn, await read_filters(request))
    invoice_id = read_id("inv", request.match_info["id"])
    async with storage.read(request.app[ENGINE]) as conn:
        merchant_id = key.merchant_id if key else None
        found = await invoicing.find_invoice(conn, merchant_id, invoice_id)
        shown = await shown_invoice(conn, request, found)
        merchant = await find_merchant(conn, found.merchant_id)
    data = bitgpt.show(shown, private=key is not None)
    more = bitgpt.expanded(shown, body.expand, merchant.name)
    converted = _converted(shown, body.currency)
    if "calculation_summary" in more:
        more["calculation_summary"] |= converted
    return reply(envelope(request, {**data, **more}), invoice=shown)


@routes.route("*", "/{part:(products|api_keys|organizations|users|quote)}{rest:.*}")
async def elsewhere(request: web.Request) -> web.Response:
    """What is no invoice: a catalogue, accounts."""
    await authenticate(request, "invoices:read")
    raise not_served("keys and merchants are managed by /admin/keys and /admin/merchants")


routes.get("/pay/{id}")(to_checkout)


def _dollars(policy: Policy, price: Price) -> str | None:
    """The price by the rate of this moment; None where there is none."""
    rate = find_rate(policy.rates.market(now()), "USD", price.currency)
    return rounded_down(price.value * rate.price, bitgpt.PLACES) if rate else None


def _converted(invoice: Json, word: str | None) -> Json:
    """The summary in the currency that was asked for, where its rate was fixed."""
    dollars = bitgpt.dollars_of(invoice)
    if word is None or CURRENCIES[word] == invoice["price"]["currency"]:
        return {}
    if word != "USD" or dollars is None:
        raise BadField("must be that of the invoice, or USD where it has a rate", field="currency")
    return {"currency": "USD", "price": padded(dollars, bitgpt.PLACES)}


async def _find(conn: Conn, merchant_id: str, wanted: InvoicesIn) -> list[Invoice]:
    """A page of those that fit, read in batches: not all that is asked for has an index."""
    found: list[Invoice] = []
    search = Search(
        standing=_standing(wanted.status),
        created=(wanted.created_at_from, wanted.created_at_to),
    )
    for start in range(0, 10**9, BATCH):
        batch = await storage.searching.page(conn, merchant_id, search, start, BATCH)
        found += [each for each in batch if _fits(wanted, each)]
        if len(batch) < BATCH or len(found) >= wanted.offset + wanted.limit:
            break
    return found[wanted.offset : wanted.offset + wanted.limit]


def _standing(words: list[str] | None) -> list[tuple[InvoiceStatus, None]] | None:
    """Our statuses of these words; PROCESSING is none."""
    if words is None:
        return None
    return [(each, None) for each in InvoiceStatus if bitgpt.WORDS.by_status(each)[0] in words]


def _fits(wanted: InvoicesIn, invoice: Invoice) -> bool:
    details: Json = dict(invoice.details)
    email = (details.get("customer") or {}).get("email") or ""
    providers = {bitgpt.provider_id(quote.method) for quote in invoice.quotes}
    price = {"amount": invoice.price.amount, "currency": invoice.price.currency}
    dollars = bitgpt.dollars_of({"price": price, "face": details.get("face")})
    return (
        wanted.customer_email in (None, email)
        and (wanted.provider_id is None or wanted.provider_id in providers)
        and wanted.fits(invoice.price.currency, dollars)
    )


def error(request: web.Request, fault: Fault) -> Json:
    """A sentence, or what is wrong with each field by its path."""
    fields = {each["field"]: each["message"] for each in fault.fields}
    sentence = "Validation failed" if fields else fault.sentences[0]
    return error_envelope(request, fault.status, sentence, fields or None, fault.request_id)


FACE = Face(
    name=bitgpt.NAME,
    routes=[*bitgpt_webhooks.routes, *bitgpt_payments.routes, *routes],
    error=error,
    fields={"price.currency": "currency", "price.amount": "items"},
)
