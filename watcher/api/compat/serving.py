"""What every face does alike: answer, open, find."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

import storage
from storage import Conn
from storage.keys import Key
from watcher import invoicing
from watcher.api.compat.reading import fingerprint
from watcher.api.context import ENGINE, POLICY
from watcher.api.errors import Problem
from watcher.api.idempotency import perform_once
from watcher.clock import now
from watcher.domain.invoices import Invoice
from watcher.domain.money import Price
from watcher.faces.ids import read_id
from watcher.faces.values import encode, facts
from watcher.invoicing import NewInvoice
from watcher.merchants import find_merchant
from watcher.refused import NotFound
from watcher.render import Json

Show = Callable[[Json], object]
"""From an invoice as our own API shows it to what the face answers."""


def reply(body: object, *, status: int = 200, invoice: Json | None = None) -> web.Response:
    """An answer in JSON with exact numbers; about one invoice, with what no face can say of it."""
    return web.Response(
        text=encode(body).decode(),
        status=status,
        content_type="application/json",
        headers=facts(invoice) if invoice else {},
    )


def not_served(instead: str) -> Problem:
    """501: something that the original has and we do not; `instead` says where ours is."""
    return Problem(501, f"not served here; {instead}", code="not_implemented")


def check_tenant(key: Key, text: str) -> None:
    """The merchant that a path names must be the key's own; NotFound, as for a foreign invoice."""
    if read_id("mer", text) != key.merchant_id:
        raise NotFound("there is no such merchant")


async def merchant_name(request: web.Request, key: Key) -> str:
    """What the key's merchant is called."""
    async with storage.read(request.app[ENGINE]) as conn:
        return (await find_merchant(conn, key.merchant_id)).name


def customer_by(email: str | None) -> Json | None:
    """Who pays, where only an e-mail address can be told."""
    return {"email": email, "name": None, "address": None, "phone": None} if email else None


def new_invoice(
    key: Key,
    face: str,
    price: Price,
    *,
    methods: Sequence[str] | None = None,
    valid_for: int | None = None,
    external_id: str | None = None,
    echo: Mapping[str, object] | None = None,
    **details: object,
) -> NewInvoice:
    """The command that opens an invoice; no face selects a method by itself.

    `echo` is what has no meaning to us and is repeated to the face's clients.
    """
    return NewInvoice(
        price=price,
        methods=methods,
        valid_for=valid_for,
        external_id=external_id,
        autoselect=False,
        finer=True,
        details={
            **details,
            "face": {"name": face, "echo": dict(echo or {})},
            "created_with": key.kind,
            "key_id": key.id,
        },
    )


async def open_and_reply(
    request: web.Request,
    key: Key,
    wanted: NewInvoice,
    asked: Mapping[str, Any],
    show: Show,
    *,
    status: int = 200,
) -> web.Response:
    """Open the invoice; with an Idempotency-Key once, however often the same is asked for."""

    async def work(conn: Conn) -> web.Response:
        policy = request.app[POLICY]
        opened = await invoicing.open_invoice(conn, policy, key.merchant_id, wanted, now())
        shown = await shown_invoice(conn, request, opened)
        return reply(show(shown), status=status, invoice=shown)

    face: Any = wanted.details["face"]
    return await perform_once(request, key, fingerprint(face["name"], key.merchant_id, asked), work)


async def find_and_reply(
    request: web.Request, key: Key | None, invoice_id: str, show: Show
) -> web.Response:
    """One invoice of the key's merchant; without a key anyone's, where the id is the secret."""
    merchant_id = key.merchant_id if key else None
    async with storage.read(request.app[ENGINE]) as conn:
        found = await invoicing.find_invoice(conn, merchant_id, invoice_id)
        shown = await shown_invoice(conn, request, found)
    return reply(show(shown), invoice=shown)


async def change_and_reply(
    request: web.Request, change: Callable[[Conn], Any], show: Show
) -> web.Response:
    """Change an invoice in a transaction; answer after its commit."""

    async def work(conn: Conn) -> Json:
        return await shown_invoice(conn, request, await change(conn))

    shown = await storage.repeat(request.app[ENGINE], work)
    return reply(show(shown), invoice=shown)


async def to_checkout(request: web.Request) -> web.Response:
    """Send a payer to the checkout page of the invoice that the path names; without a key."""
    async with storage.read(request.app[ENGINE]) as conn:
        invoice_id = read_id("inv", request.match_info["id"])
        found = await invoicing.find_invoice(conn, None, invoice_id)
        shown = await shown_invoice(conn, request, found)
    answer = reply({}, status=302, invoice=shown)
    answer.headers["Location"] = shown["checkout_url"]
    return answer


async def shown_invoice(conn: Conn, request: web.Request, invoice: Invoice) -> Json:
    """The invoice as our own API shows it."""
    [shown] = await invoicing.show_invoices(conn, request.app[POLICY], [invoice], now())
    return shown
