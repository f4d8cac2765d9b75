"""The log of events: per merchant numbered without gaps, written with what it tells of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import groupby, takewhile
from typing import Any

from sqlalchemy import RowMapping, delete, func, insert, select, update

from storage import deliveries, schema
from storage.dialects import among
from storage.types import Conn
from watcher.domain.events import Event, EventType
from watcher.domain.ids import derived_id

table = schema.events
merchants = schema.merchants


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event, as every reader of the log gets it."""

    id: str
    seq: int
    type: EventType
    created_at: int
    data: dict[str, Any]
    invoice_id: str
    deposit_id: str | None


_COLUMNS = tuple(table.c[field.name] for field in fields(StoredEvent))


async def append(
    conn: Conn, events: Sequence[tuple[Event, Mapping[str, object]]], now: int
) -> None:
    """Store `events`, each with its data, numbered per merchant from 1, in commit order.

    The counter row stays locked until the transaction ends, so a reader that has seen `seq` n never
    finds a smaller one later; an autoincrement column draws its numbers before the commit and
    cannot promise that. Merchants go in id order, so two writers cannot deadlock. What is to be
    delivered is queued here, too: an event without its deliveries is never committed.
    """
    ordered = sorted(events, key=_merchant)  # a stable sort
    for merchant_id, group in groupby(ordered, key=_merchant):
        told = list(group)
        bump = (
            update(merchants)
            .where(merchants.c.id == merchant_id)
            .values(last_seq=merchants.c.last_seq + len(told))
            .returning(merchants.c.last_seq)
        )
        first = (await conn.execute(bump)).scalar_one() - len(told) + 1
        rows = [_row(seq, event, data, now) for seq, (event, data) in enumerate(told, first)]
        await conn.execute(insert(table), rows)
        await deliveries.fan_out(conn, merchant_id, rows)


async def after(conn: Conn, merchant_id: str, seq: int, limit: int) -> list[StoredEvent]:
    """The merchant's next `limit` events after number `seq`, oldest first."""
    query = (
        select(*_COLUMNS)
        .where(table.c.merchant_id == merchant_id, table.c.seq > seq)
        .order_by(table.c.seq)
        .limit(limit)
    )
    return [_event(row) for row in (await conn.execute(query)).mappings()]


async def newest(conn: Conn, merchant_id: str) -> int:
    """Number of the merchant's newest event; 0 before the first."""
    query = select(merchants.c.last_seq).where(merchants.c.id == merchant_id)
    seq: int = (await conn.execute(query)).scalar_one()
    return seq


async def newest_of_all(conn: Conn) -> dict[str, int]:
    """Number of each merchant's newest event, by merchant."""
    rows = await conn.execute(select(merchants.c.id, merchants.c.last_seq))
    return {merchant_id: seq for merchant_id, seq in rows}


async def touched(conn: Conn, merchant_id: str, seq: int, invoice_ids: Iterable[str]) -> set[str]:
    """Which of these invoices the merchant's events after number `seq` are about."""
    later = (table.c.merchant_id == merchant_id, table.c.seq > seq)
    query = select(table.c.invoice_id).where(*later, among(conn, table.c.invoice_id, invoice_ids))
    return set(await conn.scalars(query.distinct()))


async def by_ids(conn: Conn, ids: Iterable[str]) -> dict[str, StoredEvent]:
    """These events, by id."""
    rows = (await conn.execute(select(*_COLUMNS).where(among(conn, table.c.id, ids)))).mappings()
    return {row.id: _event(row) for row in rows}


async def begins(conn: Conn, merchant_id: str) -> int:
    """Number of the oldest event that is kept; of the next one where none is."""
    oldest = select(func.min(table.c.seq)).where(table.c.merchant_id == merchant_id)
    kept: int | None = await conn.scalar(oldest)
    return await newest(conn, merchant_id) + 1 if kept is None else kept


async def prune(conn: Conn, merchant_id: str, before: int, limit: int) -> int:
    """Forget up to `limit` of the oldest events, told before second `before`; returns how many.

    Their deliveries go with them. What is kept has no gaps: it begins at the first event that is
    young enough, or that a delivery still waits to bring.
    """
    query = (
        select(table.c.id, table.c.created_at)
        .where(table.c.merchant_id == merchant_id)
        .order_by(table.c.seq)
        .limit(limit)
    )
    oldest = await conn.execute(query)
    old = [id for id, _ in takewhile(lambda row: row.created_at < before, oldest)]
    awaited = await deliveries.awaited(conn, old)
    gone = list(takewhile(lambda id: id not in awaited, old))
    await deliveries.forget(conn, gone)
    await conn.execute(delete(table).where(among(conn, table.c.id, gone)))
    return len(gone)


def _event(row: RowMapping) -> StoredEvent:
    return StoredEvent(**{**row, "type": EventType(row.type)})


def _merchant(told: tuple[Event, Mapping[str, object]]) -> str:
    return told[0].merchant_id


def _row(seq: int, event: Event, data: Mapping[str, object], now: int) -> dict[str, object]:
    return {
        "merchant_id": event.merchant_id,
        "seq": seq,
        "id": derived_id("evt", now, event.merchant_id, str(seq)),
        "type": event.type,
        "invoice_id": event.invoice_id,
        "deposit_id": event.deposit_id,
        "created_at": now,
        "data": dict(data),
    }
