"""Merchants and their API keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import storage
from storage import Conn
from watcher import logos, merchants
from watcher.cli.context import AsJson, in_database, settings_of, show_json, show_table
from watcher.clock import now
from watcher.keys import load_box
from watcher.policy import Policy
from watcher.refused import BadField
from watcher.render import Json

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
    as_json: AsJson = False,
) -> None:
    """Add a merchant and print its id."""

    async def work(conn: Conn, policy: Policy) -> Json:
        return merchants.render_merchant(await merchants.add_merchant(conn, name, now()))

    made = in_database(context, work, write=True)
    show_json(made) if as_json else typer.echo(made["id"])


@merchant_app.command("list")
def list_merchants(context: typer.Context, as_json: AsJson = False) -> None:
    """List every merchant."""

    async def work(conn: Conn, policy: Policy) -> list[Json]:
        return [merchants.render_merchant(each) for each in await storage.merchants.listing(conn)]

    found = in_database(context, work)
    if as_json:
        show_json(found)
        return
    columns = ("id", "name", "has_logo", "created_at")
    show_table("Merchants", columns, [[each[name] for name in columns] for each in found])


@merchant_app.command("logo")
def set_logo(
    context: typer.Context,
    merchant: Annotated[str, typer.Option(help="The merchant's id.")],
    file: Annotated[
        Path | None, typer.Argument(help="A PNG, JPEG or WebP picture of at most 256 KiB.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Show none any more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Set or remove the picture that payers see."""
    if (file is None) != remove:
        raise typer.BadParameter("give either FILE or --remove")
    picture = None if file is None else _picture(file)

    async def work(conn: Conn, policy: Policy) -> Json:
        await logos.set_logo(conn, merchant, picture)
        return merchants.render_merchant(await merchants.find_merchant(conn, merchant))

    changed = in_database(context, work, write=True)
    if as_json:
        show_json(changed)
    else:
        typer.echo(f"{merchant} has {'a' if changed['has_logo'] else 'no'} logo now")


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
    as_json: AsJson = False,
) -> None:
    """Add a key; its secrets are shown this once."""
    box = load_box(settings_of(context).secrets.key_file)

    async def work(conn: Conn, policy: Policy) -> Json:
        made = await merchants.add_key(conn, box, merchant, public, scope, now())
        return merchants.render_new_key(made)

    made = in_database(context, work, write=True)
    if as_json:
        show_json(made)
        return
    typer.echo(f"id              {made['id']}")
    typer.echo(f"key             {made['key']}")
    typer.echo(f"signing secret  {made['signing_secret']}")
    typer.echo("Neither is shown again.", err=True)


@key_app.command("list")
def list_keys(
    context: typer.Context,
    merchant: Annotated[str | None, typer.Option(help="Only this merchant's.")] = None,
    as_json: AsJson = False,
) -> None:
    """List every key, without its text."""

    async def work(conn: Conn, policy: Policy) -> list[Json]:
        if merchant is not None:
            await merchants.find_merchant(conn, merchant)
        return [merchants.render_key(each) for each in await storage.keys.listing(conn, merchant)]

    found = in_database(context, work)
    if as_json:
        show_json(found)
        return
    columns = ("id", "merchant_id", "kind", "key", "scopes", "created_at", "revoked_at")
    shown = [{**key, "key": f"…{key['hint']}", "scopes": " ".join(key["scopes"])} for key in found]
    show_table("Keys", columns, [[each[name] for name in columns] for each in shown])


@key_app.command("revoke")
def revoke_key(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(help="The key's id.")],
    as_json: AsJson = False,
) -> None:
    """Stop a key from working, at once and for good."""

    async def work(conn: Conn, policy: Policy) -> Json:
        return merchants.render_key(await merchants.revoke_key(conn, key_id, now()))

    revoked = in_database(context, work, write=True)
    show_json(revoked) if as_json else typer.echo(f"{key_id} is revoked")
