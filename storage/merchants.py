"""Merchants: to whom invoices and events belong."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select

from storage import schema
from storage.types import Conn

table = schema.merchants
_COLUMNS = (table.c.id, table.c.name, table.c.created_at)


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who is paid."""

    id: str
    name: str
    created_at: int


async def add(conn: Conn, merchant: Merchant) -> None:
    """Store a new merchant, to whom nothing was told yet."""
    await conn.execute(
        insert(table).values(
            id=merchant.id, name=merchant.name, last_seq=0, created_at=merchant.created_at
        )
    )


async def get(conn: Conn, id: str) -> Merchant | None:
    """The merchant with this id."""
    row = (await conn.execute(select(*_COLUMNS).where(table.c.id == id))).first()
    return Merchant(*row) if row else None


async def listing(
    conn: Conn, *, after: str | None = None, limit: int | None = None
) -> list[Merchant]:
    """All merchants, oldest first; `after` is the last id of the page before."""
    query = select(*_COLUMNS).order_by(table.c.id).limit(limit)
    if after is not None:
        query = query.where(table.c.id > after)
    return [Merchant(*row) for row in await conn.execute(query)]
