"""Webhooks and deliveries: the same use cases as the API."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic import ValidationError

import storage
from storage import Conn
from storage.webhooks import Webhook
from watcher.api.webhook_models import WebhookIn
from watcher.api.webhooks import PING_SECONDS
from watcher.cli.context import AsJson, Failed, in_database, run, settings_of, show_json, show_table
from watcher.clock import now
from watcher.keys import load_box
from watcher.merchants import find_merchant
from watcher.policy import Policy
from watcher.refused import BadField
from watcher.render import Json
from watcher.webhooks import managing
from watcher.webhooks.sending import Answer, Message, Sender
from watcher.webhooks.showing import render_ping, show_deliveries, show_webhooks
from watcher.webhooks.targets import CannotSign

Merchant = Annotated[str, typer.Option(help="The merchant's id.")]
WebhookId = Annotated[str, typer.Argument(help="The webhook's id.")]

webhook_app = typer.Typer(
    help="Add, list, change and remove webhooks; look at deliveries.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add this group."""
    app.add_typer(webhook_app, name="webhook")


@webhook_app.command("add")
def add(
    context: typer.Context,
    merchant: Merchant,
    url: Annotated[str, typer.Option(help="Where events are posted.")],
    event: Annotated[
        list[str] | None, typer.Option(help="Such as invoice.*; may be repeated. Default: all.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a webhook; its secret is shown this once."""
    fields = {"url": url, "events": event or ["*"], "description": description}
    try:
        wanted = WebhookIn.model_validate(fields).command()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadField(first["msg"], field=str(first["loc"][0])) from None
    box = load_box(settings_of(context).secrets.key_file)

    async def work(conn: Conn, policy: Policy) -> Json:
        await find_merchant(conn, merchant)
        made, secret = await managing.add_webhook(conn, box, policy, merchant, wanted, now())
        return {**await _shown(conn, made), "secret": secret}

    _print_secret(in_database(context, work, write=True), as_json)


@webhook_app.command("list")
def listing(context: typer.Context, merchant: Merchant, as_json: AsJson = False) -> None:
    """List a merchant's webhooks, with what is queued for each."""

    async def work(conn: Conn, policy: Policy) -> list[Json]:
        await find_merchant(conn, merchant)
        found = await storage.webhooks.listing(conn, merchant)
        return await show_webhooks(conn, found, now())

    rows = in_database(context, work)
    if as_json:
        show_json(rows)
        return
    columns = ("id", "url", "events", "state", "pending", "failing", "dead")
    show_table("Webhooks", columns, [_row(each) for each in rows])


@webhook_app.command("enable")
def enable(context: typer.Context, webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Switch a webhook on; what was held for it is due now."""
    changed = _switch(context, webhook_id, True)
    show_json(changed) if as_json else typer.echo(f"{webhook_id} is enabled")


@webhook_app.command("disable")
def disable(context: typer.Context, webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Switch a webhook off.

    Nothing new is queued for it, and what waits is held.
    """
    changed = _switch(context, webhook_id, False)
    show_json(changed) if as_json else typer.echo(f"{webhook_id} is disabled")


@webhook_app.command("rotate")
def rotate(context: typer.Context, webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Make a new secret, shown this once.

    For a day the former one signs beside it.
    """
    box = load_box(settings_of(context).secrets.key_file)

    async def work(conn: Conn, policy: Policy) -> Json:
        owner = (await _find(conn, webhook_id)).merchant_id
        webhook, secret = await managing.rotate_secret(conn, box, owner, webhook_id, now())
        return {**await _shown(conn, webhook), "secret": secret}

    _print_secret(in_database(context, work, write=True), as_json)


@webhook_app.command("remove")
def remove(context: typer.Context, webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Delete a webhook; the log of its deliveries stays."""

    async def work(conn: Conn, policy: Policy) -> None:
        owner = (await _find(conn, webhook_id)).merchant_id
        await managing.delete_webhook(conn, owner, webhook_id, now())

    in_database(context, work, write=True)
    if as_json:
        show_json({"id": webhook_id, "object": "webhook", "deleted": True})
    else:
        typer.echo(f"{webhook_id} is deleted")


@webhook_app.command("ping")
def ping(context: typer.Context, webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Send one signed test from here, and say what came back.

    Exits with 1 if it was not accepted.
    """
    box = load_box(settings_of(context).secrets.key_file)

    async def work(conn: Conn, policy: Policy) -> tuple[Policy, Message]:
        webhook = await _find(conn, webhook_id)
        return policy, managing.ping_message(policy, box, webhook, now())

    try:
        policy, message = in_database(context, work)
    except CannotSign as error:
        raise BadField(str(error)) from error

    async def send() -> Answer:
        sender = Sender(policy.webhooks.allow_private)
        try:
            return await sender.post(message, PING_SECONDS)
        finally:
            await sender.close()

    said = render_ping(run(send()))
    sentence = said["error"] or f"answered {said['status']} after {said['duration_ms']} ms"
    if as_json:
        show_json(said)
    elif said["ok"]:
        typer.echo(sentence)
    if not said["ok"]:
        raise Failed(f"the test was not accepted: {sentence}")


@webhook_app.command("deliveries")
def deliveries(
    context: typer.Context,
    merchant: Merchant,
    webhook: Annotated[str | None, typer.Option(help="Only to this webhook.")] = None,
    invoice: Annotated[str | None, typer.Option(help="Only about this invoice.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest deliveries with how they ended."""

    async def work(conn: Conn, policy: Policy) -> list[Json]:
        await find_merchant(conn, merchant)
        found = await storage.deliveries.listing(
            conn, merchant, webhook_id=webhook, invoice_id=invoice, limit=limit
        )
        return await show_deliveries(conn, found)

    rows = in_database(context, work)
    if as_json:
        show_json(rows)
        return
    columns = ("id", "event", "to", "state", "tries", "last answer", "next try")
    show_table("Deliveries", columns, [_delivery_row(each) for each in rows])


@webhook_app.command("redeliver")
def redeliver(
    context: typer.Context,
    merchant: Merchant,
    delivery_id: Annotated[str, typer.Argument(help="The delivery's id.")],
    as_json: AsJson = False,
) -> None:
    """Deliver again, whatever became of it."""

    async def work(conn: Conn, policy: Policy) -> Json:
        delivery = await managing.redeliver(conn, merchant, delivery_id)
        return (await show_deliveries(conn, [delivery]))[0]

    delivery = in_database(context, work, write=True)
    show_json(delivery) if as_json else typer.echo(f"{delivery_id} is due now")


async def _find(conn: Conn, webhook_id: str) -> Webhook:
    return await managing.find_webhook(conn, None, webhook_id)


async def _shown(conn: Conn, webhook: Webhook) -> Json:
    return (await show_webhooks(conn, [webhook], now()))[0]


def _switch(context: typer.Context, webhook_id: str, enabled: bool) -> Json:
    async def work(conn: Conn, policy: Policy) -> Json:
        owner = (await _find(conn, webhook_id)).merchant_id
        changes = {"enabled": enabled}
        changed = await managing.change_webhook(conn, policy, owner, webhook_id, changes, now())
        return await _shown(conn, changed)

    return in_database(context, work, write=True)


def _row(webhook: Json) -> tuple[object, ...]:
    queued = webhook["deliveries"]
    state = "enabled" if webhook["enabled"] else f"disabled: {webhook['disabled_reason']}"
    events = " ".join(webhook["events"])
    counts = (queued["pending"], queued["failing"], queued["dead"])
    return (webhook["id"], webhook["url"], events, state, *counts)


def _delivery_row(delivery: Json) -> tuple[object, ...]:
    last = delivery["log"][-1] if delivery["log"] else {"error": None, "status": None}
    return (
        delivery["id"],
        delivery["event_id"],
        delivery["webhook_id"] or "callback",
        delivery["state"],
        delivery["tries"],
        last["error"] or last["status"],
        delivery["next_try_at"],
    )


def _print_secret(webhook: Json, as_json: bool) -> None:
    if as_json:
        show_json(webhook)
        return
    typer.echo(f"id      {webhook['id']}")
    typer.echo(f"secret  {webhook['secret']}")
    typer.echo("The secret is not shown again.", err=True)
