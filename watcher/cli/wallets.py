"""Wallets: where addresses come from. Public keys and addresses only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import storage
from storage import Conn
from storage.addresses import Assigned
from storage.wallets import Wallet
from watcher import wallets
from watcher.cli.context import AsJson, in_database, show_json, show_table
from watcher.clock import now
from watcher.domain.money import Family, Method, amount_of
from watcher.merchants import find_merchant
from watcher.policy import Policy
from watcher.refused import BadField
from watcher.render import Json

PAGE = 500

wallet_app = typer.Typer(help="Add and inspect wallets: xpubs and pools.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this group."""
    app.add_typer(wallet_app, name="wallet")


@wallet_app.command("add")
def add(
    context: typer.Context,
    merchant: Annotated[str, typer.Option(help="The merchant's id.")],
    family: Annotated[str, typer.Option(help="evm or tron.")],
    xpub: Annotated[str | None, typer.Option(help="Extended public key.")] = None,
    addresses: Annotated[Path | None, typer.Option(help="A file, one address a line.")] = None,
    from_index: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="The first index to give out.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Add an xpub, or a pool of addresses.

    Of an xpub the first three addresses are shown, to compare with the owner's wallet.
    """
    if (xpub is None) == (addresses is None):
        raise typer.BadParameter("give either --xpub or --addresses")
    lines = None if addresses is None else _lines(addresses)

    async def work(conn: Conn, policy: Policy) -> Json:
        codec = wallets.codec_of(policy, family)
        await find_merchant(conn, merchant)
        if xpub is not None:
            wallet = await wallets.add_xpub(conn, merchant, Family(family), xpub, from_index, now())
            first = wallets.first_addresses(codec, xpub, from_index)
            return {**wallets.render_wallet(wallet, None), "first_addresses": first}
        pool = lines or []
        wallet = await wallets.add_pool(conn, merchant, Family(family), codec, pool, now())
        return {**wallets.render_wallet(wallet, len(pool)), "first_addresses": []}

    made = in_database(context, work, write=True)
    if as_json:
        show_json(made)
        return
    typer.echo(made["id"])
    if made["first_addresses"]:
        typer.echo("Compare with the owner's wallet before taking money:", err=True)
    for place, address in enumerate(made["first_addresses"], from_index):
        typer.echo(f"{place:>6}  {address}")


@wallet_app.command("list")
def listing(context: typer.Context, as_json: AsJson = False) -> None:
    """List every wallet, and how many addresses are left."""

    async def work(conn: Conn, policy: Policy) -> list[Json]:
        return [wallets.render_wallet(*each) for each in await storage.wallets.listing(conn)]

    found = in_database(context, work)
    if as_json:
        show_json(found)
        return
    columns = ("id", "merchant_id", "family", "kind", "next_index", "left", "created_at")
    show_table("Wallets", columns, [[each[name] for name in columns] for each in found])


@wallet_app.command("addresses")
def show_addresses(
    context: typer.Context,
    wallet: Annotated[str | None, typer.Option(help="Only this wallet's.")] = None,
    funded: Annotated[
        bool, typer.Option("--funded", help="Only those that received money.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List addresses with their paths and what they received.

    So the owner's wallet finds money that lies beyond its gap limit.
    """

    async def work(conn: Conn, policy: Policy) -> list[tuple[object, ...]]:
        if wallet is not None:
            await wallets.find_wallet(conn, wallet)
        found: list[tuple[Assigned, dict[Method, int]]] = []
        while True:
            after = (found[-1][0].family, found[-1][0].address) if found else None
            page = await storage.addresses.listing(
                conn, wallet_id=wallet, funded=funded, after=after, limit=PAGE
            )
            found += page
            if len(page) < PAGE:
                break
        paths = {each.id: each for each, _ in await storage.wallets.listing(conn)}
        return [_address_row(policy, paths[each.wallet_id], each, got) for each, got in found]

    columns = ("address", "wallet_id", "path", "index", "invoice_id", "received")
    rows = in_database(context, work)
    if as_json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        shown = [(*row[:-1], ", ".join(str(part) for part in _list(row[-1]))) for row in rows]
        show_table("Addresses", columns, shown)


@wallet_app.command("skip")
def skip(
    context: typer.Context,
    to: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="The next index to give out.")],
    wallet: Annotated[
        str | None, typer.Option(help="The wallet's id; default the only one with an xpub.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Never give out the indices below another.

    After a backup was restored, those that were given out since must not be given again.
    """

    async def work(conn: Conn, policy: Policy) -> Json:
        return wallets.render_wallet(await wallets.skip_to(conn, wallet, to), None)

    skipped = in_database(context, work, write=True)
    if as_json:
        show_json(skipped)
    else:
        typer.echo(f"the next index is {skipped['next_index']}")


def _address_row(
    policy: Policy, wallet: Wallet, assigned: Assigned, received: dict[Method, int]
) -> tuple[object, ...]:
    amounts = []
    for method, units in received.items():
        asset = policy.asset(method)
        amounts.append(
            f"{amount_of(units, asset.decimals)} {method}"
            if asset
            else f"{units} units of {method}"
        )
    return (
        wallets.codec_of(policy, assigned.family).show(assigned.address),
        assigned.wallet_id,
        wallets.path_of(wallet, assigned.index),
        assigned.index,
        assigned.invoice_id,
        amounts,
    )


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadField(f"{path} cannot be read as text", field="addresses") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
