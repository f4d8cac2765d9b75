"""Finding a merchant's invoices as other systems list them: by page number, with a total."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, and_, false, func, or_, select

from storage import schema
from storage.dialects import text_in
from storage.invoices import load
from storage.types import Conn
from watcher.domain.invoices import Invoice, InvoiceStatus

table, steps = schema.invoices, schema.timeline

Order = Literal["created", "closed", "currency", "selected", "status"]
Span = tuple[int | None, int | None]
"""Seconds from and to, both included; None: without end."""
CLOSED = [
    status.value
    for status in (
        InvoiceStatus.PAID,
        InvoiceStatus.UNDERPAID,
        InvoiceStatus.EXPIRED,
        InvoiceStatus.CANCELLED,
    )
]
CLOSED_AT = (
    select(func.max(steps.c.at))
    .where(steps.c.invoice_id == table.c.id, table.c.status.in_(CLOSED))
    .correlate(table)
    .scalar_subquery()
)
"""When a closed invoice took its last step."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for; None: whatever."""

    text: str | None = None
    """A part of name or description; upper and lower case are the same."""
    id: str | None = None
    """Or exactly this invoice, whatever `text` is."""
    external_id: str | None = None
    standing: Collection[tuple[InvoiceStatus, bool | None]] | None = None
    """Any of these statuses, with or without a selected method; None beside it: either."""
    currency: str | None = None
    symbol: str | None = None
    """Of the coin in the selected method."""
    created: Span = (None, None)
    closed: Span = (None, None)
    order: Order = "created"
    """Always descending; what is equal newest first."""
    oldest_first: bool = False
    """What is equal, the other way round."""


async def page(
    conn: Conn, merchant_id: str, search: Search, offset: int, limit: int
) -> list[Invoice]:
    """So many of those found, in the order asked for, after `offset` others."""
    query = select(table).where(_found(conn, merchant_id, search))
    age = [table.c.created_at, table.c.id]
    by_age = age if search.oldest_first else [each.desc() for each in age]
    ordered = query.order_by(*_first(search.order), *by_age)
    return await load(conn, ordered.offset(offset).limit(limit))


async def count(conn: Conn, merchant_id: str, search: Search) -> int:
    """How many there are."""
    query = select(func.count()).select_from(table).where(_found(conn, merchant_id, search))
    total: int = (await conn.execute(query)).scalar_one()
    return total


def _first(order: Order) -> list[ColumnElement[object]]:
    """What comes before the age."""
    match order:
        case "created":
            return []
        case "closed":
            return [CLOSED_AT.desc().nulls_last()]
        case "currency":
            return [table.c.price_currency.desc()]
        case "selected":
            return [table.c.selected.desc().nulls_last()]
        case "status":
            return [table.c.status.desc()]


def _within(column: ColumnElement[int], span: Span) -> list[ColumnElement[bool]]:
    first, last = span
    bounds = [column >= first] if first is not None else []
    return [*bounds, *([column <= last] if last is not None else [])]


def _found(conn: Conn, merchant_id: str, search: Search) -> ColumnElement[bool]:
    wanted = [
        table.c.merchant_id == merchant_id,
        *_within(table.c.created_at, search.created),
        *_within(CLOSED_AT, search.closed),
    ]
    if search.external_id is not None:
        wanted.append(table.c.external_id == search.external_id)
    if search.standing is not None:
        wanted.append(or_(false(), *(_stands(*each) for each in search.standing)))
    if search.currency is not None:
        wanted.append(table.c.price_currency == search.currency.upper())
    if search.symbol is not None:
        wanted.append(table.c.selected.endswith(f":{search.symbol.lower()}", autoescape=True))
    if search.text is not None:
        parts = [
            text_in(conn, table.c.details, name).icontains(search.text, autoescape=True)
            for name in ("name", "description")
        ]
        wanted.append(or_(*parts, table.c.id == search.id))
    return and_(*wanted)


def _stands(status: InvoiceStatus, selected: bool | None) -> ColumnElement[bool]:
    if selected is None:
        return table.c.status == status
    return and_(table.c.status == status, table.c.selected.is_not(None) == selected)
