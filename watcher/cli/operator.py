"""What the operator asks: status, doctor, backup."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

import storage
from storage import Conn
from watcher import operate
from watcher.cli.context import (
    AsJson,
    Failed,
    in_database,
    out,
    run,
    settings_of,
    show_json,
    show_table,
)
from watcher.clock import now
from watcher.policy import Policy
from watcher.render import Json
from watcher.status import admin_status

WATCH_SECONDS = 2


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(status)
    app.command()(doctor)
    app.command()(backup)


def status(
    context: typer.Context,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again every two seconds.")] = False,
) -> None:
    """Show how every network does, as the daemon last told."""

    async def work(conn: Conn, policy: Policy) -> Json:
        return await admin_status(conn, policy, None, now())

    while True:
        body = in_database(context, work)
        if watch and not as_json:
            out.clear()
        show_json(body) if as_json else _tables(body)
        if not watch:
            return
        time.sleep(WATCH_SECONDS)


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Check that no deposit would be missed: database, endpoints.

    Exits with 1 if anything would make deposits be missed, or the key file cannot be used.
    """
    from watcher.daemon import ask_rates, build_policy, open_clients, open_database

    settings = settings_of(context)
    policy = build_policy(settings)
    keys = operate.examine_keys(settings.secrets.key_file)

    async def work() -> list[operate.Finding]:
        async with (
            open_database(settings, policy) as engine,
            open_clients(settings, policy) as clients,
        ):
            schema = operate.Finding("database", "schema", True, "opened, newest schema")
            await ask_rates(settings, policy)
            found = await operate.examine(policy, clients)
            async with storage.read(engine) as conn:
                audited = await operate.examine_audit(conn, policy)
            return [schema, keys, *found, *audited, *operate.examine_rates(policy, now())]

    findings = run(work())
    if as_json:
        show_json([{**asdict(each), "remedy": each.remedy} for each in findings])
    else:
        words = {True: "ok", False: "FAILED", None: "note"}
        rows = [(f.where, f.check, words[f.ok], f.detail, f.remedy) for f in findings]
        show_table("Doctor", ("where", "check", "result", "detail", "remedy"), rows)
    if failed := [f"{each.where} {each.check}" for each in findings if each.ok is False]:
        raise Failed(f"{len(failed)} of {len(findings)} checks failed: {', '.join(failed)}")


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to write it; nothing is overwritten.")],
    as_json: AsJson = False,
) -> None:
    """Copy the database, whole, while the daemon runs."""
    settings = settings_of(context)
    run(operate.backup(settings.database.url.get_secret_value(), file))
    if as_json:
        show_json({"file": str(file), "key_file": str(settings.secrets.key_file)})
    else:
        typer.echo(f"wrote {file}; keep it together with the key file")


def _tables(body: dict[str, Any]) -> None:
    columns = ("network", "state", "tip", "age", "head", "final", "blocks/s", "reason")
    rows = [
        (
            each["network"],
            each["state"],
            each["tip"]["number"],
            _seconds(each["tip"]["age_seconds"]),
            each["head"],
            each["finalized"]["number"],
            each["blocks_per_second"],
            each["last_error"],
        )
        for each in body["networks"]
    ]
    show_table("Networks", columns, rows)
    endpoints = [
        (
            network["network"],
            e["name"],
            e["state"],
            e["head"],
            e["latency_ms"]["p50"],
            e["requests_today"],
            e["errors_1h"],
            e["reason"],
        )
        for network in body["networks"]
        for e in network["endpoints"]
    ]
    columns = (
        "network",
        "endpoint",
        "state",
        "head",
        "ms",
        "requests today",
        "errors 1h",
        "reason",
    )
    show_table("Endpoints", columns, endpoints)
    if alarms := [(each["alarm"], each["subject"], each["reason"]) for each in body["alarms"]]:
        show_table("Alarms", ("alarm", "of", "reason"), alarms)
    invoices, deposits = body["invoices"], body["deposits"]
    typer.echo(
        f"invoices: {invoices['open']} open, {invoices['delayed']} delayed; "
        f"deposits: {deposits['pending']} pending, {deposits['unmatched']} unmatched; "
        f"audit: {body['audit']['findings']} findings"
    )


def _seconds(age: int | None) -> str:
    return "" if age is None else f"{age}s"
