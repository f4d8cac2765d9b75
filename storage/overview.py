"""Counts for the operator: what is open, what is delayed, what awaits a decision."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import BigInteger, Select, cast, exists, func, or_, select

from storage import schema
from storage.dialects import among
from storage.types import Conn
from watcher.domain.invoices import InvoiceStatus
from watcher.domain.money import Family, Network

invoices, quotes = schema.invoices, schema.quotes
addresses, deposits = schema.addresses, schema.deposits

_OPEN = (
    InvoiceStatus.AWAITING_PAYMENT,
    InvoiceStatus.PARTIALLY_PAID,
    InvoiceStatus.CONFIRMING,
)


async def open_invoices(conn: Conn) -> int:
    """How many invoices money may still change."""
    return await _count(conn, select(func.count()).where(invoices.c.status.in_(_OPEN)))


async def invoices_by_status(conn: Conn) -> dict[str, int]:
    """How many invoices there are of each status; one that no invoice has is absent."""
    rows = await conn.execute(select(invoices.c.status, func.count()).group_by(invoices.c.status))
    return {status: count for status, count in rows}


async def delayed_invoices(
    conn: Conn, lagging: Collection[Network], families: Collection[Family]
) -> int:
    """How many open invoices may be paid on a network that lags, or have an address on one."""
    if not lagging:
        return 0
    offered = exists().where(
        quotes.c.invoice_id == invoices.c.id, among(conn, quotes.c.network, lagging)
    )
    watched = exists().where(
        addresses.c.invoice_id == invoices.c.id, among(conn, addresses.c.family, families)
    )
    late = select(func.count()).where(invoices.c.status.in_(_OPEN), or_(offered, watched))
    return await _count(conn, late)


async def pending_deposits(conn: Conn) -> int:
    """How many deposits wait for their confirmations."""
    return await _count(conn, select(func.count()).select_from(deposits).where(schema.PENDING))


async def unmatched_deposits(conn: Conn) -> int:
    """How many deposits count for nothing and await a decision, as each invoice last said."""
    total = cast(func.coalesce(func.sum(invoices.c.unmatched), 0), BigInteger)
    return await _count(conn, select(total).where(schema.UNMATCHED))


async def _count(conn: Conn, query: Select[int]) -> int:
    return (await conn.scalars(query)).one()
