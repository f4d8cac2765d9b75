"""Finding a merchant's invoices as other systems list them: by page number, with a total."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select

from storage import schema
from storage.dialects import text_in
from storage.invoices import load
from storage.types import Conn
from watcher.domain.invoices import Invoice

table = schema.invoices


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for; None: whatever."""

    text: str | None = None
    """A part of name or description; upper and lower case are the same."""
    id: str | None = None
    """Or exactly this invoice, whatever `text` is."""


async def page(
    conn: Conn, merchant_id: str, search: Search, offset: int, limit: int
) -> list[Invoice]:
    """So many of those found, newest first, after `offset` others."""
    query = select(table).where(_found(conn, merchant_id, search))
    newest_first = query.order_by(table.c.created_at.desc(), table.c.id.desc())
    return await load(conn, newest_first.offset(offset).limit(limit))


async def count(conn: Conn, merchant_id: str, search: Search) -> int:
    """How many there are."""
    query = select(func.count()).select_from(table).where(_found(conn, merchant_id, search))
    total: int = (await conn.execute(query)).scalar_one()
    return total


def _found(conn: Conn, merchant_id: str, search: Search) -> ColumnElement[bool]:
    wanted = [table.c.merchant_id == merchant_id]
    if search.text is not None:
        parts = [
            text_in(conn, table.c.details, name).icontains(search.text, autoescape=True)
            for name in ("name", "description")
        ]
        wanted.append(or_(*parts, table.c.id == search.id))
    return and_(*wanted)
