"""When each chore ran and runs next: one row for all processes, by the database's clock."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update

from storage import schema
from storage.dialects import clock, inserting
from storage.types import Conn

table = schema.chores


@dataclass(frozen=True, slots=True)
class Course:
    """How a chore does."""

    name: str
    next_run: int
    last_ok: int | None
    last_error: str | None
    """Why its newest run failed; None: it went well, or there was none yet."""
    failures: int


async def claim(conn: Conn, name: str, every_seconds: int) -> bool:
    """Take the chore's next run if it is due; at most one process gets it.

    The run after it is due `every_seconds` from now, also if this one never ends: whoever claims
    must be done by then.
    """
    new = inserting(conn, table).values(name=name, next_run=0, failures=0)
    await conn.execute(new.on_conflict_do_nothing())
    due = (table.c.name == name) & (table.c.next_run <= clock(conn))
    take = update(table).where(due).values(next_run=clock(conn) + every_seconds)
    return (await conn.execute(take)).rowcount == 1


async def succeeded(conn: Conn, name: str) -> None:
    """Note that a run went well."""
    await conn.execute(
        update(table).where(table.c.name == name).values(last_ok=clock(conn), last_error=None)
    )


async def failed(conn: Conn, name: str, reason: str) -> None:
    """Note that a run failed, and why."""
    await conn.execute(
        update(table)
        .where(table.c.name == name)
        .values(last_error=reason, failures=table.c.failures + 1)
    )


async def courses(conn: Conn) -> list[Course]:
    """How every chore does, by name."""
    rows = await conn.execute(select(table).order_by(table.c.name))
    return [
        Course(row.name, row.next_run, row.last_ok, row.last_error, row.failures) for row in rows
    ]
