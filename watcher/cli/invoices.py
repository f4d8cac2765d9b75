"""Invoices: the same use cases as the API."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from pydantic import ValidationError

import storage
from storage import Conn
from watcher import accepting, invoicing
from watcher.api.models import AcceptIn, InvoiceIn, InvoiceQuery, SelectIn
from watcher.cli.context import AsJson, in_database, show_json, show_table
from watcher.clock import now
from watcher.merchants import find_merchant
from watcher.policy import Policy
from watcher.refused import BadField, NotFound
from watcher.render import Json

InvoiceId = Annotated[str, typer.Argument(help="The invoice's id.")]

invoice_app = typer.Typer(
    help="Open, show, list, select, cancel and accept invoices.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add this group."""
    app.add_typer(invoice_app, name="invoice")


@invoice_app.command("create")
def create(
    context: typer.Context,
    merchant: Annotated[str, typer.Option(help="The merchant's id.")],
    amount: Annotated[str, typer.Option(help='Decimal text such as "49.99".')],
    currency: Annotated[str, typer.Option(help="Any currency with a rate, or an asset.")],
    method: Annotated[
        list[str] | None, typer.Option(help="Such as ethereum:usdt; may be repeated. Default: all.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    external_id: Annotated[str | None, typer.Option(help="Your own number of it.")] = None,
    valid_for: Annotated[str | None, typer.Option(help='Such as "1h".')] = None,
    description: Annotated[str | None, typer.Option(help="More of it, for the payer.")] = None,
    tolerance: Annotated[
        str | None, typer.Option(help="How many percent may be missing, such as 0.5.")
    ] = None,
    confirmations: Annotated[
        str | None, typer.Option(help='How many blocks confirm a deposit, or "finalized".')
    ] = None,
    success_url: Annotated[str | None, typer.Option(help="Where who paid goes on.")] = None,
    fail_url: Annotated[str | None, typer.Option(help="Where who did not goes on.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="For you; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Open an invoice."""
    fields: dict[str, Any] = {
        "price": {"amount": amount, "currency": currency},
        "methods": method or None,
        "name": name,
        "external_id": external_id,
        "valid_for": valid_for,
        "description": description,
        "tolerance_percent": tolerance,
        "confirmations": _depth(confirmations),
        "success_url": success_url,
        "fail_url": fail_url,
        "metadata": dict(_pair(each) for each in metadata or ()),
    }
    wanted = _checked(InvoiceIn, fields).command("secret")

    async def work(conn: Conn, policy: Policy) -> Json:
        await find_merchant(conn, merchant)
        invoice = await invoicing.open_invoice(conn, policy, merchant, wanted, now())
        return (await invoicing.show_invoices(conn, policy, [invoice], now()))[0]

    _print(in_database(context, work, write=True, rates=True), as_json)


@invoice_app.command("show")
def show(context: typer.Context, invoice_id: InvoiceId, as_json: AsJson = False) -> None:
    """Show one invoice with its deposits."""

    async def work(conn: Conn, policy: Policy) -> Json:
        invoice = await invoicing.find_invoice(conn, None, invoice_id)
        return (await invoicing.show_invoices(conn, policy, [invoice], now()))[0]

    _print(in_database(context, work), as_json)


@invoice_app.command("list")
def listing(
    context: typer.Context,
    merchant: Annotated[str, typer.Option(help="The merchant's id.")],
    status: Annotated[str | None, typer.Option(help="Only these.")] = None,
    flag: Annotated[str | None, typer.Option(help="Only those with it, such as late.")] = None,
    external_id: Annotated[str | None, typer.Option(help="Only those of your number.")] = None,
    after: Annotated[
        str | None, typer.Option(help="Older than this invoice: the last one of a list before.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest invoices of a merchant."""
    filters = {"status": status, "flag": flag, "external_id": external_id, "limit": limit}
    query = _checked(InvoiceQuery, filters)

    async def work(conn: Conn, policy: Policy) -> list[Json]:
        await find_merchant(conn, merchant)
        found = await storage.invoices.listing(
            conn,
            merchant,
            status=query.status,
            flag=query.flag,
            external_id=query.external_id,
            after=await _place(conn, merchant, after),
            limit=query.limit,
        )
        return await invoicing.list_invoices(conn, policy, found, now())

    shown = in_database(context, work)
    if as_json:
        show_json(shown)
        return
    columns = ("id", "status", "flags", "price", "paid", "created_at")
    rows = [
        (
            each["id"],
            each["status"],
            " ".join(each["flags"]),
            f"{each['price']['amount']} {each['price']['currency']}",
            each["paid"]["amount"],
            each["created_at"],
        )
        for each in shown
    ]
    show_table("Invoices", columns, rows)


@invoice_app.command("select")
def select(
    context: typer.Context,
    invoice_id: InvoiceId,
    method: Annotated[str, typer.Argument(help="Such as ethereum:usdt.")],
    as_json: AsJson = False,
) -> None:
    """Choose what to pay with: assigns an address."""
    chosen = _checked(SelectIn, {"method": method}).named()

    async def work(conn: Conn, policy: Policy) -> Json:
        invoice = await invoicing.select_method(conn, policy, None, invoice_id, chosen, now())
        return (await invoicing.show_invoices(conn, policy, [invoice], now()))[0]

    _print(in_database(context, work, write=True), as_json)


@invoice_app.command("cancel")
def cancel(context: typer.Context, invoice_id: InvoiceId, as_json: AsJson = False) -> None:
    """Close an invoice for which no money was seen."""

    async def work(conn: Conn, policy: Policy) -> Json:
        invoice = await invoicing.cancel_invoice(conn, policy, None, invoice_id, now())
        return (await invoicing.show_invoices(conn, policy, [invoice], now()))[0]

    _print(in_database(context, work, write=True), as_json)


@invoice_app.command("accept")
def accept(
    context: typer.Context,
    invoice_id: InvoiceId,
    deposit: Annotated[
        list[str] | None, typer.Option(help="A deposit's id; may be repeated. Default: all.")
    ] = None,
    as_paid: Annotated[bool, typer.Option("--as-paid", help="Take too little as enough.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let money count that was late, wrong or too little."""
    decision = _checked(AcceptIn, {"deposits": deposit or None, "as_paid": as_paid}).decision()

    async def work(conn: Conn, policy: Policy) -> Json:
        invoice = await accepting.accept(conn, policy, None, invoice_id, decision, now())
        return (await invoicing.show_invoices(conn, policy, [invoice], now()))[0]

    _print(in_database(context, work, write=True, rates=True), as_json)


def _depth(text: str | None) -> int | str | None:
    """What the model judges; it refuses a longer number as it refuses a word."""
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else text


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise BadField("must be KEY=VALUE", field="metadata")
    return key, value


async def _place(conn: Conn, merchant_id: str, after: str | None) -> tuple[int, str] | None:
    """Where a list goes on that ended with this invoice."""
    if after is None:
        return None
    try:
        last = await invoicing.find_invoice(conn, merchant_id, after)
    except NotFound as error:
        raise BadField(str(error), field="after") from error
    return last.created_at, last.id


def _checked(model: Any, fields: dict[str, Any]) -> Any:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadField(first["msg"].removeprefix("Value error, "), field=field) from error


def _print(invoice: Json, as_json: bool) -> None:
    if as_json:
        show_json(invoice)
        return
    price = f"{invoice['price']['amount']} {invoice['price']['currency']}"
    flags = f" ({', '.join(invoice['flags'])})" if invoice["flags"] else ""
    typer.echo(f"{invoice['id']}  {price}  {invoice['status']}{flags}")
    show_table(
        "To pay with one of",
        ("method", "amount", "address", "confirmations"),
        [
            (q["method"], q["amount"], q["address"], q["required_confirmations"])
            for q in invoice["quotes"]
        ],
    )
    if invoice["deposits"]:
        show_table(
            "Deposits",
            ("deposit", "amount", "asset", "status", "confirmations", "not counted", "transaction"),
            [
                (
                    d["id"],
                    d["amount"],
                    d["asset"],
                    d["status"],
                    d["confirmations"],
                    d["reason"],
                    d["explorer_url"],
                )
                for d in invoice["deposits"]
            ],
        )
