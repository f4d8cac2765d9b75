"""Merchants: to whom invoices and events belong."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select, update

from storage import schema
from storage.types import Conn

table = schema.merchants
_HAS_LOGO = table.c.logo.is_not(None)  # without its bytes, which only `logo_of_invoice` reads
_COLUMNS = (table.c.id, table.c.name, table.c.created_at, _HAS_LOGO)


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who is paid."""

    id: str
    name: str
    created_at: int
    has_logo: bool = False


async def add(conn: Conn, merchant: Merchant) -> None:
    """Store a new merchant, without a logo, to whom nothing was told yet."""
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


async def set_logo(conn: Conn, id: str, logo: bytes | None) -> bool:
    """Keep this picture in place of any former; None removes it. False: no such merchant."""
    change = update(table).where(table.c.id == id).values(logo=logo)
    return (await conn.execute(change)).rowcount == 1


async def logo_of_invoice(conn: Conn, invoice_id: str) -> bytes | None:
    """The logo of this invoice's merchant; None: it has none, or there is no such invoice."""
    owner = schema.invoices.c.merchant_id == table.c.id
    query = select(table.c.logo).where(owner, schema.invoices.c.id == invoice_id)
    logo: bytes | None = await conn.scalar(query)
    return logo
