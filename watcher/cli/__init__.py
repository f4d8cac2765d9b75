"""The command line: one file per group of commands, no logic.

Every command exits with 0 on success, 2 on wrong use, 1 on failure with one clear sentence.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

import storage
from chains.base import ChainError
from storage.instance import WrongInstance
from storage.migrate import SchemaTooNew
from watcher import __version__
from watcher.cli import (
    audit,
    books,
    invoices,
    operator,
    sandbox,
    service,
    tools,
    wallets,
    webhooks,
)
from watcher.cli.context import Failed
from watcher.cli.logs import set_up_logs
from watcher.config import ConfigError
from watcher.refused import Refused

EXPECTED = (
    ConfigError,
    Failed,
    Refused,
    ChainError,
    SchemaTooNew,
    WrongInstance,
    storage.StorageUnavailable,
)

app = typer.Typer(
    name="deposit-watcher",
    help="Find crypto payments to invoices; prove every block that is read; hold no key.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (service, books, wallets, invoices, webhooks, operator, tools, audit, sandbox):
    group.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"deposit-watcher {__version__}")
        raise typer.Exit


@app.callback()
def options(
    config: Annotated[
        Path | None, typer.Option(help="The configuration; default ./watcher.toml.")
    ] = None,
    log_format: Annotated[
        Literal["text", "json"], typer.Option(help="How log lines are written.")
    ] = "text",
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print and exit.")
    ] = False,
) -> None:
    set_up_logs(log_format)


def main() -> None:
    """Run the command; what may go wrong in a well-made program is one sentence, no traceback."""
    try:
        app(prog_name="deposit-watcher")
    except EXPECTED as error:
        sentence = error.sentence if isinstance(error, Refused) else str(error)
        typer.echo(f"deposit-watcher: {sentence}", err=True)
        sys.exit(1)
