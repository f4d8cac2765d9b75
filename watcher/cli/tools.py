"""What the operator does about a payment: explain its transaction, read blocks again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import storage
from chains.base import ChainClient
from storage import Engine
from watcher.cli.context import AsJson, out, run, settings_of, show_json, show_table
from watcher.domain.money import Network
from watcher.explain import explain, parse_hash
from watcher.policy import Policy
from watcher.refused import BadField
from watcher.render import Json, render_deposit
from watcher.rescan import Rescan, plan
from watcher.settling import our_tips

T = TypeVar("T")
NetworkName = Annotated[str, typer.Argument(help="Such as ethereum.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("explain")(explain_transaction)
    app.command("rescan")(read_again)


def explain_transaction(
    context: typer.Context,
    network: NetworkName,
    tx_hash: Annotated[str, typer.Argument(help="The transaction's hash.")],
    as_json: AsJson = False,
) -> None:
    """Say of each transfer where it went, or why it did not.

    That is: credited as which deposit of which invoice, or the exact rule that refused it.
    """
    hash = parse_hash(tx_hash)

    async def work(engine: Engine, policy: Policy, client: ChainClient) -> Json:
        return await explain(engine, policy, client, Network(network), hash)

    body = _with_client(context, network, work)
    show_json(body) if as_json else _explain(body)


def read_again(
    context: typer.Context,
    network: NetworkName,
    first: Annotated[int, typer.Option("--from", min=0, help="The first block.")],
    last: Annotated[
        int | None, typer.Option("--to", min=0, help="The last one; default: our newest.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read blocks again: add what is missing, undo what is false.

    May run beside the daemon, and again: what is there already, and true, stays as it is.
    """

    async def work(engine: Engine, policy: Policy, client: ChainClient) -> Json:
        rescan = Rescan(engine, policy, client, await plan(engine, policy, network, first, last))
        await _show_progress(rescan)
        return await _result(engine, policy, rescan)

    body = _with_client(context, network, work)
    if as_json:
        show_json(body)
        return
    for title, deposits in {"Added": body["added"], "Orphaned": body["orphaned"]}.items():
        if deposits:
            _show_deposits(title, deposits)
    blocks = body["to"] - body["from"] + 1
    orphaned = f", orphaned {len(body['orphaned'])}" if body["orphaned"] else ""
    typer.echo(f"read {blocks} blocks again, added {len(body['added'])} deposits{orphaned}")
    for warning in body["warnings"]:
        typer.echo(f"not seen for sure: {warning}")


def _show_deposits(title: str, deposits: Sequence[Json]) -> None:
    columns = ("deposit", "invoice", "amount", "asset", "block", "note")
    rows = [
        (
            each["id"],
            each["invoice_id"],
            each["amount"] or each["amount_units"],
            each["asset"],
            each["block_number"],
            "" if each["counts"] else f"does not count: {each['reason'] or each['status']}",
        )
        for each in deposits
    ]
    show_table(title, columns, rows)


async def _show_progress(rescan: Rescan) -> None:
    """Run it, with its rate and the time left on standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]:.1f} blocks/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(rescan.span.network, total=rescan.span.blocks, pace=0.0)
        await rescan.run(
            lambda: bar.update(
                task, completed=rescan.done, pace=rescan.done / max(rescan.seconds, 1e-6)
            )
        )


async def _result(engine: Engine, policy: Policy, rescan: Rescan) -> Json:
    async with storage.read(engine) as conn:
        tips = await our_tips(conn, policy)
        ids = {each.invoice_id for each in (*rescan.added, *rescan.orphaned)}
        invoices = await storage.invoices.get_many(conn, ids)
    span = rescan.span
    return {
        "network": span.network,
        "from": span.first,
        "to": span.last,
        "added": [
            render_deposit(policy, invoices[each.invoice_id], each, tips) for each in rescan.added
        ],
        "orphaned": [
            render_deposit(policy, invoices[each.invoice_id], each, tips)
            for each in rescan.orphaned
        ],
        "warnings": list(rescan.warnings),
    }


def _explain(body: Json) -> None:
    out.print(f"{body['network']} {body['tx_hash']}: {body['detail']}", markup=False)
    if body["moves"]:
        rows = [
            (each["position"], _amount(each), each["verdict"], _why(each)) for each in body["moves"]
        ]
        show_table("Moves", ("position", "amount", "verdict", "why"), rows)
    for deposit in body["deposits"]:
        if deposit["id"] not in {each["deposit_id"] for each in body["moves"]}:
            typer.echo(
                f"also {deposit['id']}, {deposit['status']}, in block {deposit['block_number']}"
            )
    if body["unseen"]:
        typer.echo(f"not seen: {body['unseen']}")


def _amount(move: Json) -> str:
    return f"{move['amount'] or move['amount_units'] or ''} {move['asset'] or ''}".strip()


def _why(move: Json) -> str:
    """A line each, short enough that a narrow terminal keeps ids whole."""
    lines = [move["detail"]]
    if move["contract"] and not move["asset"]:
        lines.append(f"contract {move['contract']}")
    if move["to"]:
        lines.append(f"to {move['to']}")
    if move["invoice_id"] and move["verdict"] == "refused":
        lines.append(f"an address of {move['invoice_id']}")
    return "\n".join(lines)


def _with_client(
    context: typer.Context,
    network: str,
    work: Callable[[Engine, Policy, ChainClient], Awaitable[T]],
) -> T:
    """Do `work` with the configured database and a client of an enabled network."""
    from watcher.daemon import build_policy, open_clients, open_database

    settings = settings_of(context)

    async def session() -> T:
        policy = build_policy(settings)
        if network not in policy.networks:
            known = ", ".join(policy.networks) or "none"
            raise BadField(f"is none of the enabled ones: {known}", field="network")
        async with (
            open_database(settings, policy) as engine,
            open_clients(settings, policy) as clients,
        ):
            return await work(engine, policy, clients[Network(network)])

    return run(session())
