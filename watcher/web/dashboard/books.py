"""Invoices and deposits: lists, search, an invoice with all that is known of it and its actions."""

from __future__ import annotations

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

import storage
from storage import Conn
from watcher import accepting, invoicing
from watcher.accepting import Decision
from watcher.api.context import ENGINE, POLICY
from watcher.api.models import Line
from watcher.clock import now
from watcher.rescan import begin_before
from watcher.searching import search
from watcher.settling import our_tips
from watcher.web.dashboard.frame import form_of, go_to, operator, read_form, render
from watcher.worklists import (
    DepositView,
    InvoiceView,
    deposits_of,
    invoices_of,
    page_deposits,
    page_invoices,
    show_deliveries,
)

DELIVERIES = 100

routes = web.RouteTableDef()


class InvoiceQuery(BaseModel):
    """Which invoices to list."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    view: InvoiceView = "open"
    after: Line | None = None


class DepositQuery(BaseModel):
    """Which deposits to list."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    view: DepositView = "pending"
    after: Line | None = None


class SearchQuery(BaseModel):
    """What to look for."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    text: Line = Field("", alias="q")


@routes.get("/admin/invoices")
@operator
async def invoices(request: web.Request) -> web.Response:
    """A page of invoices."""
    query = read_form(request.query, InvoiceQuery)
    async with storage.read(request.app[ENGINE]) as conn:
        page = await page_invoices(conn, request.app[POLICY], query.view, query.after, now())
    return await render(request, "invoices.html", {"page": page, "view": query.view})


@routes.get("/admin/deposits")
@operator
async def deposits(request: web.Request) -> web.Response:
    """A page of deposits."""
    query = read_form(request.query, DepositQuery)
    async with storage.read(request.app[ENGINE]) as conn:
        page = await page_deposits(conn, request.app[POLICY], query.view, query.after)
    return await render(request, "deposits.html", {"page": page, "view": query.view})


@routes.get("/admin/search")
@operator
async def look(request: web.Request) -> web.Response:
    """What answers to a text; the invoice itself where it can be only one."""
    policy, text = request.app[POLICY], read_form(request.query, SearchQuery).text
    async with storage.read(request.app[ENGINE]) as conn:
        found = await search(conn, policy, text)
        if found.only is not None:
            return go_to(request, f"invoices/{found.only}")
        facts = {
            "text": text,
            "found": found,
            "invoices": await invoices_of(conn, policy, found.invoices, now()),
            "deposits": await deposits_of(conn, policy, found.deposits),
        }
    return await render(request, "search.html", facts)


@routes.get("/admin/invoices/{id:[0-9A-Za-z_]+}")
@operator
async def invoice(request: web.Request) -> web.Response:
    """One invoice with its deposits, its timeline and what was delivered of it."""
    policy, moment = request.app[POLICY], now()
    async with storage.read(request.app[ENGINE]) as conn:
        found = await invoicing.find_invoice(conn, None, request.match_info["id"])
        [shown] = await invoicing.list_invoices(conn, policy, [found], moment)
        deliveries = await storage.deliveries.listing(
            conn, found.merchant_id, invoice_id=found.id, limit=DELIVERIES
        )
        deliveries.sort(key=lambda each: -each.seq)  # the ids of one second are in no order
        merchant = await storage.merchants.get(conn, found.merchant_id)
        tips = await our_tips(conn, policy)
        facts = {
            "invoice": shown,
            "deliveries": await show_deliveries(conn, deliveries),
            "merchant": merchant,
            "rescans": {
                name: await begin_before(conn, name, found.opening)
                for name in policy.networks
                if name in tips and policy.networks[name].spec.family in found.addresses
            },
        }
    return await render(request, "invoice.html", facts)


@routes.post("/admin/invoices/{id:[0-9A-Za-z_]+}/cancel")
@operator
async def cancel(request: web.Request) -> web.Response:
    """Close an invoice for which no money was seen."""
    id = request.match_info["id"]

    async def work(conn: Conn) -> None:
        await invoicing.cancel_invoice(conn, request.app[POLICY], None, id, now())

    await storage.repeat(request.app[ENGINE], work)
    return go_to(request, f"invoices/{id}", "cancelled")


@routes.post("/admin/invoices/{id:[0-9A-Za-z_]+}/accept")
@operator
async def accept(request: web.Request) -> web.Response:
    """Let the chosen deposits count, or take too little for the whole."""
    id, form = request.match_info["id"], await form_of(request)
    chosen = form.getall("deposit", [])
    as_paid = "as_paid" in form
    decision = Decision(deposits=chosen or (None if as_paid else ()), as_paid=as_paid)

    async def work(conn: Conn) -> None:
        await accepting.accept(conn, request.app[POLICY], None, id, decision, now())

    await storage.repeat(request.app[ENGINE], work)
    return go_to(request, f"invoices/{id}", "accepted")
