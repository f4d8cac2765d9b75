"""BitGPT's payments: deposits that count, listed and shown."""

from __future__ import annotations

from itertools import islice

from aiohttp import web

import storage
from storage import Conn
from watcher import invoicing
from watcher.api.compat.bitgpt_access import (
    authenticate,
    authenticate_if_named,
    envelope,
    read_filters,
)
from watcher.api.compat.bitgpt_models import PaymentsIn, ShowIn
from watcher.api.compat.reading import as_model
from watcher.api.compat.serving import reply
from watcher.api.context import ENGINE, POLICY
from watcher.clock import now, rfc3339
from watcher.faces.bitgpt import (
    PAYMENT_WORDS,
    deposit_dollars,
    provider_id,
    show_payment,
)
from watcher.faces.ids import read_id
from watcher.policy import Policy
from watcher.refused import NotFound
from watcher.render import Json

BATCH = 200

routes = web.RouteTableDef()


@routes.post("/payments")
async def listing(request: web.Request) -> web.Response:
    """The merchant's payments, newest first."""
    key = await authenticate(request, "invoices:read")
    wanted = as_model(PaymentsIn, await read_filters(request))
    policy, found, after = request.app[POLICY], list[tuple[Json, Json]](), None
    invoice_id = read_id("inv", wanted.invoice_id) if wanted.invoice_id else None
    async with storage.read(request.app[ENGINE]) as conn:
        while len(found) < wanted.offset + wanted.limit:
            batch = await storage.deposits.listing(
                conn, key.merchant_id, invoice_id=invoice_id, after=after, limit=BATCH
            )
            pairs = await _shown(conn, policy, [(each.invoice_id, each.id) for each in batch])
            found += [pair for pair in pairs if pair[1]["counts"] and _fits(wanted, *pair)]
            if len(batch) < BATCH:
                break
            after = batch[-1].id
    page = islice(found, wanted.offset, wanted.offset + wanted.limit)
    expanded = "payments.provider" in wanted.expand
    return reply(envelope(request, [show_payment(*pair, expanded) for pair in page]))


@routes.post("/payments/{id}")
async def show(request: web.Request) -> web.Response:
    """One payment, also where a reorg took it away; who knows its id may ask without a key."""
    key = await authenticate_if_named(request, "invoices:read")
    expand = as_model(ShowIn, await read_filters(request)).expand
    deposit_id = read_id("dep", request.match_info["id"])
    async with storage.read(request.app[ENGINE]) as conn:
        found = await storage.deposits.get(conn, key.merchant_id if key else None, deposit_id)
        ids = [(found.invoice_id, found.id)] if found else []
        pairs = await _shown(conn, request.app[POLICY], ids)
    for invoice, deposit in pairs:
        if deposit["reason"] is None:
            shown = show_payment(invoice, deposit, "payments.provider" in expand)
            return reply(envelope(request, shown), invoice=invoice)
    raise NotFound("there is no such payment")


async def _shown(conn: Conn, policy: Policy, ids: list[tuple[str, str]]) -> list[tuple[Json, Json]]:
    """Invoices with one deposit of each, as our own API shows them."""
    invoices = await storage.invoices.get_many(conn, {invoice_id for invoice_id, _ in ids})
    listed = await invoicing.list_invoices(conn, policy, list(invoices.values()), now())
    shown = {each["id"]: each for each in listed}
    deposits = {deposit["id"]: deposit for each in listed for deposit in each["deposits"]}
    return [(shown[invoice_id], deposits[id]) for invoice_id, id in ids]


def _fits(wanted: PaymentsIn, invoice: Json, deposit: Json) -> bool:
    seen_at = deposit["detected_at"]
    return (
        (wanted.provider_id is None or provider_id(deposit["method"]) in wanted.provider_id)
        and (wanted.status is None or PAYMENT_WORDS[deposit["status"]] in wanted.status)
        and (wanted.created_at_from is None or seen_at >= rfc3339(wanted.created_at_from))
        and (wanted.created_at_to is None or seen_at <= rfc3339(wanted.created_at_to))
        and wanted.fits(deposit["asset"], deposit_dollars(invoice, deposit))
    )
