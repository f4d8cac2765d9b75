"""Lanes: what is delivered side by side, and fails together; and which of them have work."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import (
    CTE,
    ColumnElement,
    ScalarSelect,
    exists,
    func,
    literal_column,
    select,
    true,
    tuple_,
)

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
    """Lanes that something is due in, but for those that are full; any of them, in no order.

    Each lane costs two looks into an index, however much waits in it.
    """
    lanes = _lanes()
    merchant, host = lanes.c.merchant_id, lanes.c.host
    mine = (table.c.merchant_id == merchant) & (table.c.host == host)
    query = (
        select(merchant, host)
        .where(exists().where(table.c.state == WAITING, mine, table.c.due_at <= clock(conn)))
        .where(merchant.not_in(full_merchants), host.not_in(full_hosts))
        .where(tuple_(merchant, host).not_in(full_lanes))
        .order_by(func.random())  # in any other order some lanes could always come last
        .limit(limit)
    )
    return [(merchant_id, host) for merchant_id, host in await conn.execute(query)]


def _lanes() -> CTE:
    """Every lane that something waits in, from each to the next by the index of lanes.

    A plain GROUP BY reads all that waits; and of `(merchant_id, host) > (…)` SQLite would look up
    the merchant alone.
    """
    lane = table.alias("lane")
    columns = (lane.c.merchant_id, lane.c.host)
    lanes = select(*columns).where(lane.c.id == _first(true())).cte("lanes", recursive=True)
    same, other = table.c.merchant_id == lanes.c.merchant_id, table.c.host > lanes.c.host
    following = func.coalesce(
        _first(same & other), _first(table.c.merchant_id > lanes.c.merchant_id)
    )
    step = select(*columns).select_from(lanes.join(lane, lane.c.id == following))
    return lanes.union_all(step)


def _first(among: ColumnElement[bool]) -> ScalarSelect[str]:
    """Some delivery in the first lane of these."""
    waiting = select(table.c.id).where(table.c.state == WAITING, among).correlate_except(table)
    return waiting.order_by(table.c.merchant_id, table.c.host).limit(1).scalar_subquery()
