"""Counts and lists for the operator, over all merchants: what is open, delayed, waits or failed.

Lists are ids, newest first; `after` is the last one of the page before.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from storage import schema
from storage.deliveries import Delivery
from storage.dialects import among
from storage.types import Conn
from watcher.domain.blocks import Hash
from watcher.domain.deposits import DepositStatus
from watcher.domain.invoices import InvoiceStatus
from watcher.domain.money import Family, Network

invoices, quotes = schema.invoices, schema.quotes
addresses, deposits, deliveries = schema.addresses, schema.deposits, schema.deliveries

_OPEN = (
    InvoiceStatus.AWAITING_PAYMENT,
    InvoiceStatus.PARTIALLY_PAID,
    InvoiceStatus.CONFIRMING,
)
_DELIVERY = tuple(deliveries.c[field.name] for field in fields(Delivery))
_WAITING = deliveries.c.state == literal_column("'waiting'")  # literal, as the partial indexes
_DEAD = deliveries.c.state == literal_column("'dead'")


async def open_invoices(conn: Conn) -> int:
    """How many invoices money may still change."""
    return await _count(conn, select(func.count()).where(invoices.c.status.in_(_OPEN)))


async def list_invoices(conn: Conn, after: str | None, limit: int) -> list[str]:
    """All invoices."""
    return await _page(conn, select(invoices.c.id), invoices.c.id, after, limit)


async def list_open(conn: Conn, after: str | None, limit: int) -> list[str]:
    """The invoices that money may still change."""
    found = select(invoices.c.id).where(invoices.c.status.in_(_OPEN))
    return await _page(conn, found, invoices.c.id, after, limit)


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
    return await _count(conn, select(func.count()).where(_delayed(conn, lagging, families)))


async def list_delayed(
    conn: Conn,
    lagging: Collection[Network],
    families: Collection[Family],
    after: str | None,
    limit: int,
) -> list[str]:
    """Those invoices."""
    if not lagging:
        return []
    found = select(invoices.c.id).where(_delayed(conn, lagging, families))
    return await _page(conn, found, invoices.c.id, after, limit)


async def pending_deposits(conn: Conn) -> int:
    """How many deposits wait for their confirmations."""
    return await _count(conn, select(func.count()).select_from(deposits).where(schema.PENDING))


async def unmatched_deposits(conn: Conn) -> int:
    """How many deposits count for nothing and await a decision, as each invoice last said."""
    total = cast(func.coalesce(func.sum(invoices.c.unmatched), 0), BigInteger)
    return await _count(conn, select(total).where(schema.UNMATCHED))


async def list_unmatched(conn: Conn, after: str | None, limit: int) -> list[str]:
    """The invoices with such deposits."""
    found = select(invoices.c.id).where(schema.UNMATCHED)
    return await _page(conn, found, invoices.c.id, after, limit)


async def list_deposits(
    conn: Conn, status: DepositStatus | None, after: str | None, limit: int
) -> list[str]:
    """The deposits of this status, or all."""
    found = select(deposits.c.id)
    if status is not None:
        found = found.where(deposits.c.status == status)
    return await _page(conn, found, deposits.c.id, after, limit)


async def list_troubled(conn: Conn, after: str | None, limit: int) -> list[Delivery]:
    """The deliveries that were given up, or failed and are tried again; whole."""
    failing = _WAITING & (deliveries.c.failed > 0)
    found = select(*_DELIVERY).where(or_(_DEAD, failing))
    if after is not None:
        found = found.where(deliveries.c.id < after)
    rows = await conn.execute(found.order_by(deliveries.c.id.desc()).limit(limit))
    return [Delivery(*row) for row in rows]


async def by_external_id(conn: Conn, external_id: str, limit: int) -> list[str]:
    """The invoices that merchants know by this id."""
    everybody = invoices.c.merchant_id.in_(select(schema.merchants.c.id))  # or no index would do
    found = select(invoices.c.id).where(everybody, invoices.c.external_id == external_id)
    newest_first = found.order_by(invoices.c.created_at.desc(), invoices.c.id.desc())
    return list(await conn.scalars(newest_first.limit(limit)))


async def by_transaction(conn: Conn, tx_hash: Hash, limit: int) -> list[str]:
    """The deposits that a transaction made, on whichever network."""
    found = select(deposits.c.id).where(deposits.c.tx_hash == tx_hash)
    return await _page(conn, found, deposits.c.id, None, limit)


def _delayed(
    conn: Conn, lagging: Collection[Network], families: Collection[Family]
) -> ColumnElement[bool]:
    offered = exists().where(
        quotes.c.invoice_id == invoices.c.id, among(conn, quotes.c.network, lagging)
    )
    watched = exists().where(
        addresses.c.invoice_id == invoices.c.id, among(conn, addresses.c.family, families)
    )
    return invoices.c.status.in_(_OPEN) & or_(offered, watched)


async def _count(conn: Conn, query: Select[int]) -> int:
    return (await conn.scalars(query)).one()


async def _page(
    conn: Conn, query: Select[Any], id: ColumnElement[str], after: str | None, limit: int
) -> list[str]:
    if after is not None:
        query = query.where(id < after)
    return list(await conn.scalars(query.order_by(id.desc()).limit(limit)))
