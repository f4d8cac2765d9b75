"""init, run, migrate."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli.context import (
    DEFAULT_CONFIG,
    SANDBOX_CONFIG,
    AsJson,
    config_of,
    run,
    settings_of,
    show_json,
)
from watcher.config import ConfigError, load
from watcher.config_file import write_initial
from watcher.render import Json


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(init)
    app.command("run")(run_daemon)
    app.command()(migrate)


def init(
    path: Annotated[Path, typer.Option(help="Where to write it.")] = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Write a commented configuration and its key file."""
    from chains import NETWORKS

    key_file = write_initial(path, [spec for spec in NETWORKS.values() if spec.live])
    if as_json:
        show_json({"file": str(path), "key_file": str(key_file)})
        return
    typer.echo(f"wrote {path} and its key file; add your networks there, then run `doctor`")


def run_daemon(
    context: typer.Context,
    role: Annotated[
        str, typer.Option(help="Which parts to run, by commas.")
    ] = "api,follow,deliver,chores",
    sandbox: Annotated[bool, typer.Option(help="On embedded nodes, with made-up money.")] = False,
) -> None:
    """Follow every enabled network and serve the API."""
    import uvloop

    from watcher.daemon import ROLES
    from watcher.daemon import run as run_roles
    from watcher.daemon.sandbox import greeting, prepare

    roles = {name.strip() for name in role.split(",") if name.strip()}
    if unknown := roles - set(ROLES):
        raise typer.BadParameter(f"unknown role {', '.join(sorted(unknown))}")
    if not roles:
        raise typer.BadParameter("names no role")
    path = config_of(context) or SANDBOX_CONFIG
    if sandbox:
        prepare(path)
        settings = load(path, os.environ)
        if settings.sandbox is None:
            raise ConfigError(f"{path}: has no [sandbox] table; name another file by --config")
    else:
        settings = settings_of(context)
    if not any(network.enabled for network in settings.networks.values()):
        raise ConfigError("networks: no network is enabled; there is nothing to follow")

    def greet(key: str) -> None:
        if sandbox:
            typer.echo(greeting(settings, _command(path), path, key))

    uvloop.run(run_roles(settings, roles, greet))


def _command(config: Path) -> str:
    """How this very program is called from the same folder, for people to copy."""
    called = Path(sys.argv[0])
    program = "python -m watcher" if called.name == "__main__.py" else str(called)
    return f"{program} --config {shlex.quote(str(config))}"


def migrate(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the database to the newest schema."""
    from storage import close, open_engine
    from storage.migrate import migrate as migrate_database
    from storage.migrate import schema_state

    settings = settings_of(context)

    async def work() -> Json:
        engine = open_engine(settings.database.url.get_secret_value())
        try:
            await migrate_database(engine)
            return {"engine": engine.dialect.name, "schema": await schema_state(engine)}
        finally:
            await close(engine)

    body = run(work())
    show_json(body) if as_json else typer.echo("the database has the newest schema")
