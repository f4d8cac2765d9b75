"""audit: compare balances with the ledger now, and decide about what is found."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import storage
from storage import Conn
from watcher.audit import Report, audit_network
from watcher.cli.context import AsJson, in_database, run, settings_of, show_json, show_table
from watcher.clock import now, rfc3339
from watcher.domain.audit import Finding, FindingState
from watcher.domain.money import Network
from watcher.findings import accept_finding, dismiss_finding, render_finding
from watcher.policy import Policy
from watcher.refused import BadField
from watcher.render import Json

SHOWN = 100


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(audit)


def audit(
    context: typer.Context,
    network: Annotated[str | None, typer.Argument(help="Default: every enabled one.")] = None,
    accept: Annotated[
        str | None, typer.Option(help="Make a deposit of this finding instead.")
    ] = None,
    dismiss: Annotated[str | None, typer.Option(help="Close this finding instead.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare balances with the ledger, and show what differs."""
    if (accept is not None) + (dismiss is not None) + (network is not None) > 1:
        raise typer.BadParameter("give only one of NETWORK, --accept and --dismiss")
    if accept is None and dismiss is None:
        _audit(context, network, as_json)
        return

    async def work(conn: Conn, policy: Policy) -> Json:
        if accept is not None:
            decided = await accept_finding(conn, policy, accept, now())
        else:
            decided = await dismiss_finding(conn, str(dismiss), now())
        return render_finding(policy, decided)

    body = in_database(context, work, write=True, rates=accept is not None)
    show_json(body) if as_json else _table([body])


def _audit(context: typer.Context, network: str | None, as_json: bool) -> None:
    from watcher.daemon import build_policy, open_clients, open_database

    settings = settings_of(context)
    policy = build_policy(settings)
    names = [network] if network is not None else list(policy.networks)
    if unknown := set(names) - set(policy.networks):
        known = ", ".join(policy.networks)
        raise BadField(f"{unknown.pop()} is not enabled; there are {known}", field="network")

    async def work() -> tuple[dict[str, Report], list[Finding]]:
        async with open_database(settings, policy) as engine, open_clients(settings, policy) as all:
            reports = {
                name: await audit_network(
                    engine, policy.networks[Network(name)], all[Network(name)]
                )
                for name in names
            }
            async with storage.read(engine) as conn:
                waiting = await storage.findings.listing(conn, state=FindingState.OPEN, limit=SHOWN)
            return reports, waiting

    reports, waiting = run(work())
    _show(policy, reports, [each for each in waiting if each.network in names], as_json)


def _show(
    policy: Policy, reports: dict[str, Report], waiting: list[Finding], as_json: bool
) -> None:
    new = [each for report in reports.values() for each in report.findings]
    shown = {each.id: each for each in (*new, *waiting)}
    findings = [render_finding(policy, each) for each in shown.values()]
    runs: list[dict[str, Any]] = [
        {
            "network": name,
            "at": rfc3339(report.run.at),
            "block": report.run.number,
            "addresses": report.run.addresses,
            "reason": report.run.reason,
        }
        for name, report in reports.items()
    ]
    if as_json:
        show_json({"runs": runs, "findings": findings})
        return
    for each in runs:
        ended = f"; ended early: {each['reason']}" if each["reason"] else ""
        block = "no block" if each["block"] is None else f"block {each['block']}"
        typer.echo(f"{each['network']}: {each['addresses']} addresses at {block}{ended}")
    if findings:
        _table(findings)
    else:
        typer.echo("nothing differs")


def _table(findings: list[dict[str, Any]]) -> None:
    columns = ("finding", "kind", "state", "amount", "asset", "address", "blocks")
    rows = [
        (
            each["id"],
            f"{each['kind']}, at code" if each["has_code"] else each["kind"],
            each["state"],
            each["amount"] or each["amount_units"],
            f"{each['network']} {each['asset']}",
            each["address"],
            _blocks(each["first_block"], each["last_block"]),
        )
        for each in findings
    ]
    show_table("Findings", columns, rows)


def _blocks(first: int | None, last: int) -> str:
    if first == last:
        return str(last)
    return f"up to {last}" if first is None else f"{first} to {last}"
