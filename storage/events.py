"""The log of events: per merchant numbered without gaps, written with what it tells of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from typing import Any

from sqlalchemy import insert, select, update

from storage import schema
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
    cannot promise that. Merchants go in id order, so two writers cannot deadlock.
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


async def after(conn: Conn, merchant_id: str, seq: int, limit: int) -> list[StoredEvent]:
    """The merchant's next `limit` events after number `seq`, oldest first."""
    query = (
        select(*_COLUMNS)
        .where(table.c.merchant_id == merchant_id, table.c.seq > seq)
        .order_by(table.c.seq)
        .limit(limit)
    )
    return [
        StoredEvent(**{**row, "type": EventType(row.type)})
        for row in (await conn.execute(query)).mappings()
    ]


async def newest(conn: Conn, merchant_id: str) -> int:
    """Number of the merchant's newest event; 0 before the first."""
    query = select(merchants.c.last_seq).where(merchants.c.id == merchant_id)
    seq: int = (await conn.execute(query)).scalar_one()
    return seq


async def newest_of_all(conn: Conn) -> dict[str, int]:
    """Number of each merchant's newest event, by merchant."""
    rows = await conn.execute(select(merchants.c.id, merchants.c.last_seq))
    return {merchant_id: seq for merchant_id, seq in rows}


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
