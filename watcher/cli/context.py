"""What commands share: the configuration, a transaction, and how results are printed."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

import storage
from storage import Conn
from watcher.config import ConfigError, Settings, load
from watcher.policy import Policy

T = TypeVar("T")
DEFAULT_CONFIG = Path("watcher.toml")
SANDBOX_CONFIG = Path("sandbox/watcher.toml")

out = Console(soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Failed(Exception):
    """What the command was to do, or to check, turned out badly; it has printed the details."""


def config_of(context: typer.Context) -> Path | None:
    """What `--config` names."""
    given: Path | None = context.find_root().params.get("config")
    return given


def settings_of(context: typer.Context) -> Settings:
    """The configuration that `--config` names; ./watcher.toml where it is not given."""
    given = config_of(context)
    path = given or DEFAULT_CONFIG
    if given is None and not path.exists():
        if not any(name.upper().startswith("WATCHER_") for name in os.environ):
            raise ConfigError(f"there is no {path} here; `deposit-watcher init` writes one")
        return load(None, os.environ)
    return load(path, os.environ)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run one command's work to its end."""
    return asyncio.run(work)


def in_database(
    context: typer.Context,
    work: Callable[[Conn, Policy], Awaitable[T]],
    *,
    write: bool = False,
    rates: bool = False,
) -> T:
    """Do `work` in a transaction on the configured database, with fresh `rates` if it quotes."""
    from watcher.daemon import ask_rates, build_policy, open_database

    settings = settings_of(context)

    async def session() -> T:
        policy = build_policy(settings)
        if rates:
            await ask_rates(settings, policy)
        async with open_database(settings, policy) as engine:
            if write:
                return await storage.repeat(engine, lambda conn: work(conn, policy))
            async with storage.read(engine) as conn:
                return await work(conn, policy)

    return run(session())


def show_json(value: object) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Rows for people."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    out.print(table)
