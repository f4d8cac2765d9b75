"""Lanes: what is delivered side by side, and fails together; and which of them have work."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, func, literal_column, select, tuple_

from storage import schema
from storage.dialects import clock
from storage.types import Conn

table = schema.deliveries

Lane = tuple[str, str]
"""A merchant's id and a host."""

WAITING: ColumnElement[str] = literal_column("'waiting'")
"""Literal: a parameter would not match the partial indexes."""


async def due(
    conn: Conn,
    limit: int,
    *,
    full_merchants: Collection[str] = (),
    full_hosts: Collection[str] = (),
    full_lanes: Collection[Lane] = (),
) -> list[Lane]:
    """Lanes that something is due in, but for those that are full; any of them, in no order."""
    merchant, host = table.c.merchant_id, table.c.host
    query = (
        select(merchant, host)
        .where(table.c.state == WAITING, table.c.due_at <= clock(conn))
        .where(merchant.not_in(full_merchants), host.not_in(full_hosts))
        .where(tuple_(merchant, host).not_in(full_lanes))
        .group_by(merchant, host)
        .order_by(func.random())  # in any other order some lanes could always come last
        .limit(limit)
    )
    return [(merchant_id, host) for merchant_id, host in await conn.execute(query)]
