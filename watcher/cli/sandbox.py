"""Commands of the sandbox: pay an invoice, mine, replace blocks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from chains import NETWORKS
from storage import Conn
from watcher import sandbox
from watcher.cli.context import (
    SANDBOX_CONFIG,
    AsJson,
    config_of,
    in_database,
    run,
    settings_of,
    show_json,
)
from watcher.clock import now
from watcher.config import ConfigError
from watcher.domain.money import Network, amount_of
from watcher.durations import parse_duration
from watcher.policy import Policy
from watcher.refused import BadField
from watcher.render import Json
from watcher.sandbox import Node, Payment

sandbox_app = typer.Typer(help="Drive the embedded nodes of a sandbox.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this group."""
    app.add_typer(sandbox_app, name="sandbox")


@sandbox_app.callback()
def options(context: typer.Context) -> None:
    root = context.find_root()
    if config_of(context) is None and SANDBOX_CONFIG.exists():
        root.params["config"] = SANDBOX_CONFIG


@sandbox_app.command("pay")
def pay(
    context: typer.Context,
    invoice: Annotated[str, typer.Argument(help="The invoice's id.")],
    method: Annotated[str | None, typer.Option(help="Such as tron:usdt.")] = None,
    amount: Annotated[str | None, typer.Option(help="Default: what is left to pay.")] = None,
    fail: Annotated[bool, typer.Option(help="In a transaction that fails.")] = False,
    internal: Annotated[bool, typer.Option(help="From within a contract.")] = False,
    payer: Annotated[int | None, typer.Option("--from", min=0, help="Whose account.")] = None,
    as_json: AsJson = False,
) -> None:
    """Pay an invoice in the next block.

    From an account that has enough of everything.
    """
    if fail and internal:
        raise typer.BadParameter("give either --fail or --internal")
    nodes = _nodes(context)

    async def prepare(conn: Conn, policy: Policy) -> Payment:
        return await sandbox.prepare_payment(conn, policy, invoice, method, amount, now())

    payment = in_database(context, prepare, write=True)
    way: sandbox.Way = "failed" if fail else "internal" if internal else "plain"
    hash = run(sandbox.pay(nodes[payment.quote.network], payment, way, payer))
    made = {"invoice_id": invoice, **_render(payment), "tx_hash": hash}
    if as_json:
        show_json(made)
        return
    what = f"{made['amount']} {made['asset']} to {made['to']} on {made['network']}"
    typer.echo(f"{what}, in the next block: {hash}")


@sandbox_app.command("mine")
def mine(
    context: typer.Context,
    network: Annotated[str, typer.Argument(help="ethereum, polygon or tron.")],
    blocks: Annotated[int, typer.Argument(min=1, max=1000, help="How many.")] = 1,
    advance: Annotated[str | None, typer.Option(help='Chain time, such as "2h".')] = None,
    as_json: AsJson = False,
) -> None:
    """Mine blocks now.

    With --advance, chain time jumps first, and stays ahead for good.
    """
    try:
        seconds = parse_duration(advance) if advance else 0
    except ValueError as error:
        raise BadField(str(error), field="advance") from error
    order = {"blocks": blocks, "advance_seconds": seconds}
    head = _order(context, network, "sandbox_mine", order)
    if as_json:
        show_json({"network": network, **order, "head": head})
    else:
        typer.echo(f"mined {blocks} on {network}")


@sandbox_app.command("reorg")
def reorg(
    context: typer.Context,
    network: Annotated[str, typer.Argument(help="ethereum, polygon or tron.")],
    depth: Annotated[int, typer.Argument(min=1, max=1000, help="How many blocks.")],
    force: Annotated[bool, typer.Option("--force", help="Final blocks, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Replace the newest blocks by empty ones.

    By one more than were there; what was paid in them is gone. Final blocks are replaced only with
    --force, which halts the network for good.
    """
    order = {"depth": depth, "blocks": depth + 1, "force": force}
    answer = _order(context, network, "sandbox_reorg", order)
    if as_json:
        show_json({"network": network, "depth": depth, **answer})
    else:
        typer.echo(f"replaced the newest {depth} blocks of {network}")


def _order(context: typer.Context, network: str, name: str, order: Json) -> Any:
    nodes = _nodes(context)
    node = nodes.get(Network(network))
    if node is None:
        known = ", ".join(nodes)
        raise BadField(f"the sandbox has no {network}; there are {known}", field="network")
    return run(sandbox.send_order(node, name, order))


def _render(payment: Payment) -> Json:
    """In the words that its deposit will have."""
    quote = payment.quote
    return {
        "network": quote.network,
        "method": quote.method,
        "asset": quote.symbol,
        "amount": amount_of(payment.units, quote.decimals),
        "amount_units": str(payment.units),
        "to": NETWORKS[quote.network].codec.show(payment.to),
    }


def _nodes(context: typer.Context) -> dict[Network, Node]:
    from watcher.daemon.sandbox import nodes_of

    settings = settings_of(context)
    if settings.sandbox is None:
        raise ConfigError("this is no sandbox: its configuration has no [sandbox] table")
    return nodes_of(settings)
