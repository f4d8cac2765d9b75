"""Commands of the sandbox: pay an invoice, mine, replace blocks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from chains import NETWORKS
from storage import Conn
from watcher import sandbox
from watcher.cli.context import SANDBOX_CONFIG, config_of, in_database, run, settings_of
from watcher.clock import now
from watcher.config import ConfigError
from watcher.domain.money import Network, amount_of
from watcher.durations import parse_duration
from watcher.policy import Policy
from watcher.refused import BadField
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
    quote = payment.quote
    made = run(sandbox.pay(nodes[quote.network], payment, way, payer))
    to = NETWORKS[quote.network].codec.show(payment.to)
    sum = f"{amount_of(payment.units, quote.decimals)} {quote.symbol}"
    typer.echo(f"{sum} to {to} on {quote.network}, in the next block: {made}")


@sandbox_app.command("mine")
def mine(
    context: typer.Context,
    network: Annotated[str, typer.Argument(help="ethereum, polygon or tron.")],
    blocks: Annotated[int, typer.Argument(min=1, max=1000, help="How many.")] = 1,
    advance: Annotated[str | None, typer.Option(help='Chain time, such as "2h".')] = None,
) -> None:
    """Mine blocks now.

    With --advance, chain time jumps first, and stays ahead for good.
    """
    try:
        seconds = parse_duration(advance) if advance else 0
    except ValueError as error:
        raise BadField(str(error), field="advance") from error
    order = {"blocks": blocks, "advance_seconds": seconds}
    _order(context, network, "sandbox_mine", order)
    typer.echo(f"mined {blocks} on {network}")


@sandbox_app.command("reorg")
def reorg(
    context: typer.Context,
    network: Annotated[str, typer.Argument(help="ethereum, polygon or tron.")],
    depth: Annotated[int, typer.Argument(min=1, max=1000, help="How many blocks.")],
    force: Annotated[bool, typer.Option("--force", help="Final blocks, too.")] = False,
) -> None:
    """Replace the newest blocks by empty ones.

    By one more than were there; what was paid in them is gone. Final blocks are replaced only with
    --force, which halts the network for good.
    """
    order = {"depth": depth, "blocks": depth + 1, "force": force}
    _order(context, network, "sandbox_reorg", order)
    typer.echo(f"replaced the newest {depth} blocks of {network}")


def _order(context: typer.Context, network: str, name: str, order: dict[str, Any]) -> None:
    nodes = _nodes(context)
    node = nodes.get(Network(network))
    if node is None:
        known = ", ".join(nodes)
        raise BadField(f"the sandbox has no {network}; there are {known}", field="network")
    run(sandbox.send_order(node, name, order))


def _nodes(context: typer.Context) -> dict[Network, Node]:
    from watcher.daemon.sandbox import nodes_of

    settings = settings_of(context)
    if settings.sandbox is None:
        raise ConfigError("this is no sandbox: its configuration has no [sandbox] table")
    return nodes_of(settings)
