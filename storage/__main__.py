"""For developers: `python -m storage check [URL…]` and `python -m storage revision "message"`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from storage import StorageUnavailable, close, open_engine, write
from storage.migrate import SchemaTooNew, config, migrate


def main() -> int:
    """Compare the tables of `storage.schema` with what the migrations make."""
    parser = argparse.ArgumentParser(prog="python -m storage", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="fail if a migration is missing")
    check.add_argument("url", nargs="*", help="scratch databases; a temporary SQLite one always")
    revision = commands.add_parser("revision", help="write the migration that is missing")
    revision.add_argument("message")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = f"sqlite:///{Path(folder) / 'scratch.db'}"
        try:
            if asked.command == "check":
                for url in (scratch, *asked.url):
                    asyncio.run(_on_migrated(url, lambda at: command.check(config(at))))
            else:
                asyncio.run(_on_migrated(scratch, lambda at: _write(at, asked.message)))
        except (CommandError, SchemaTooNew, StorageUnavailable, ValueError) as error:
            print(error, file=sys.stderr)
            return 1
    return 0


async def _on_migrated(url: str, work: Callable[[Connection], None]) -> None:
    engine = open_engine(url)
    try:
        await migrate(engine)
        async with write(engine) as conn:
            await conn.run_sync(work)
    finally:
        await close(engine)


def _write(connection: Connection, message: str) -> None:
    made = config(connection)
    head = ScriptDirectory.from_config(made).get_current_head() or "0"
    command.revision(made, message, autogenerate=True, rev_id=f"{int(head) + 1:04d}")


if __name__ == "__main__":
    sys.exit(main())
