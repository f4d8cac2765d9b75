"""Merchants and their API keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import storage
from storage import Conn
from storage.keys import Key
from watcher import logos, merchants
from watcher.cli.context import in_database, settings_of, show_json, show_table
from watcher.clock import now, rfc3339
from watcher.keys import load_box
from watcher.policy import Policy
from watcher.refused import BadField

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

merchant_app = typer.Typer(
    help="Add and list merchants, and set their logos.", no_args_is_help=True
)
key_app = typer.Typer(help="Add, list and revoke API keys of merchants.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these groups."""
    app.add_typer(merchant_app, name="merchant")
    app.add_typer(key_app, name="key")


@merchant_app.command("add")
def add_merchant(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="For people; it need not be unique.")],
    as_json: Json = False,
) -> None:
    """Add a merchant and print its id."""

    async def work(conn: Conn, policy: Policy) -> str:
        return (await merchants.add_merchant(conn, name, now())).id

    merchant_id = in_database(context, work, write=True)
    show_json({"id": merchant_id, "name": name}) if as_json else typer.echo(merchant_id)


@merchant_app.command("list")
def list_merchants(context: typer.Context, as_json: Json = False) -> None:
    """List every merchant."""

    async def work(conn: Conn, policy: Policy) -> list[tuple[str, str, bool, str]]:
        found = await storage.merchants.listing(conn)
        return [(each.id, each.name, each.has_logo, rfc3339(each.created_at)) for each in found]

    rows = in_database(context, work)
    columns = ("id", "name", "has_logo", "created_at")
    if as_json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        show_table("Merchants", columns, rows)


@merchant_app.command("logo")
def set_logo(
    context: typer.Context,
    merchant: Annotated[str, typer.Option(help="The merchant's id.")],
    file: Annotated[
        Path | None, typer.Argument(help="A PNG, JPEG or WebP picture of at most 256 KiB.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Show none any more.")] = False,
) -> None:
    """Set or remove the picture that payers see."""
    if (file is None) != remove:
        raise typer.BadParameter("give either FILE or --remove")
    picture = None if file is None else _picture(file)

    async def work(conn: Conn, policy: Policy) -> None:
        await logos.set_logo(conn, merchant, picture)

    in_database(context, work, write=True)
    typer.echo(f"{merchant} has {'no' if remove else 'a'} logo now")


def _picture(path: Path) -> bytes:
    """The file, as far as it can matter: of one that is too large, enough to say so."""
    try:
        with path.open("rb") as file:
            return file.read(logos.LARGEST_LOGO + 1)
    except OSError as error:
        raise BadField(f"{path} cannot be read: {error.strerror}", field="logo") from error


@key_app.command("add")
def add_key(
    context: typer.Context,
    merchant: Annotated[str, typer.Option(help="The merchant's id.")],
    public: Annotated[bool, typer.Option("--public", help="A pk_ key, for browsers.")] = False,
    scope: Annotated[list[str] | None, typer.Option(help="Default: all.")] = None,
    as_json: Json = False,
) -> None:
    """Add a key; its secrets are shown this once."""
    box = load_box(settings_of(context).secrets.key_file)

    async def work(conn: Conn, policy: Policy) -> merchants.NewKey:
        return await merchants.add_key(conn, box, merchant, public, scope, now())

    made = in_database(context, work, write=True)
    if as_json:
        show_json({"id": made.key.id, "key": made.text, "signing_secret": made.signing_secret})
        return
    typer.echo(f"id              {made.key.id}")
    typer.echo(f"key             {made.text}")
    typer.echo(f"signing secret  {made.signing_secret}")
    typer.echo("Neither is shown again.", err=True)


@key_app.command("list")
def list_keys(
    context: typer.Context,
    merchant: Annotated[str | None, typer.Option(help="Only this merchant's.")] = None,
    as_json: Json = False,
) -> None:
    """List every key, without its text."""

    async def work(conn: Conn, policy: Policy) -> list[Key]:
        if merchant is not None:
            await merchants.find_merchant(conn, merchant)
        return await storage.keys.listing(conn, merchant)

    rows = [
        (
            each.id,
            each.merchant_id,
            each.kind,
            f"…{each.hint}",
            " ".join(sorted(each.scopes)),
            rfc3339(each.created_at),
            None if each.revoked_at is None else rfc3339(each.revoked_at),
        )
        for each in in_database(context, work)
    ]
    columns = ("id", "merchant_id", "kind", "key", "scopes", "created_at", "revoked_at")
    if as_json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        show_table("Keys", columns, rows)


@key_app.command("revoke")
def revoke_key(
    context: typer.Context, key_id: Annotated[str, typer.Argument(help="The key's id.")]
) -> None:
    """Stop a key from working, at once and for good."""

    async def work(conn: Conn, policy: Policy) -> None:
        await merchants.revoke_key(conn, key_id, now())

    in_database(context, work, write=True)
    typer.echo(f"{key_id} is revoked")
