"""What this database is for: live money, testnets or the sandbox. Never two of them."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import select

from storage import schema
from storage.dialects import inserting
from storage.types import Conn

Mode = Literal["live", "test", "sandbox"]

table = schema.instance


class WrongInstance(Exception):
    """The database belongs to another kind of instance."""


async def claim(conn: Conn, mode: Mode, now: int) -> None:
    """Make the database one of `mode`, for ever.

    Raises:
        WrongInstance: it is one of another mode.
    """
    new = inserting(conn, table).values(id=1, mode=mode, created_at=now)
    await conn.execute(new.on_conflict_do_nothing())
    kept = (await conn.execute(select(table.c.mode))).scalar_one()
    if kept != mode:
        raise WrongInstance(
            f"this database belongs to a {kept} instance and cannot be used by a {mode} one;"
            " give each its own database"
        )
