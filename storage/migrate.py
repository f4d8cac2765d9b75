"""Bring a database to the newest schema, and say how far it is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select

from storage import Engine, read, write

SchemaState = Literal["head", "behind", "empty", "newer"]

_LOCK = 0x6465_706F_7369_7473  # "deposits": one number for all processes that migrate
_SCRIPTS = Path(__file__).parent / "migrations"


class SchemaTooNew(Exception):
    """The database was migrated by a newer version of this program."""


async def migrate(engine: Engine, revision: str = "head") -> None:
    """Apply the missing migrations, in one transaction; of two processes the second one waits.

    Raises:
        SchemaTooNew: the database is ahead of this program; nothing was changed.
    """
    async with write(engine) as conn:
        if conn.dialect.name == "postgresql":
            await conn.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        if await conn.run_sync(_state) == "newer":
            raise SchemaTooNew(
                "the database was migrated by a newer version of this program; install that one"
            )
        await conn.run_sync(lambda connection: command.upgrade(config(connection), revision))


async def schema_state(engine: Engine) -> SchemaState:
    """How the database's schema compares with this program's."""
    async with read(engine) as conn:
        return await conn.run_sync(_state)


def config(connection: Connection | None = None) -> Config:
    """What Alembic needs to know; the scripts lie in this package."""
    made = Config()
    made.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def _state(connection: Connection) -> SchemaState:
    at = set(MigrationContext.configure(connection).get_current_heads())
    if not at:
        return "empty"
    scripts = ScriptDirectory.from_config(config())
    if at == set(scripts.get_heads()):
        return "head"
    known = {script.revision for script in scripts.walk_revisions()}
    return "behind" if at <= known else "newer"
