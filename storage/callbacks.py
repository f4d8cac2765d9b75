"""Callbacks that ended: the receiver at an invoice's `callback_url` said that it is gone."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, select

from storage import schema
from storage.dialects import among, inserting
from storage.types import Conn

table = schema.ended_callbacks


async def end(conn: Conn, invoice_id: str, now: int) -> None:
    """Tell the invoice's callback of nothing any more; again changes nothing."""
    new = inserting(conn, table).values(invoice_id=invoice_id, at=now)
    await conn.execute(new.on_conflict_do_nothing())


async def resume(conn: Conn, invoice_id: str) -> None:
    """Tell it again."""
    await conn.execute(delete(table).where(table.c.invoice_id == invoice_id))


async def ended(conn: Conn, invoice_ids: Iterable[str]) -> set[str]:
    """Those of these invoices whose callback ended."""
    query = select(table.c.invoice_id).where(among(conn, table.c.invoice_id, invoice_ids))
    return set(await conn.scalars(query))
