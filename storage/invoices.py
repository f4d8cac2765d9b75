"""Invoices with their quotes, their addresses and the course of their status."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, Select, Text, func, insert, literal, or_, select, tuple_, update

from storage import addresses, schema
from storage.dialects import among, beside
from storage.types import Conn
from watcher.domain.invoices import Flag, Invoice, InvoiceStatus, Quote
from watcher.domain.money import Price
from watcher.domain.timeline import Cause, Moment

table = schema.invoices
quotes, steps = schema.quotes, schema.timeline

_MAY_EXPIRE = (InvoiceStatus.AWAITING_PAYMENT, InvoiceStatus.PARTIALLY_PAID)


async def add(conn: Conn, invoice: Invoice) -> None:
    """Store a new invoice with its quotes and the first step of its timeline."""
    await conn.execute(insert(table).values(**_fixed(invoice), **_mutable(invoice)))
    rows = [_quote_row(invoice.id, place, quote) for place, quote in enumerate(invoice.quotes)]
    if rows:
        await conn.execute(insert(quotes), rows)
    await note(conn, invoice.id, Moment(invoice.status, invoice.created_at, Cause.OPENED))


async def save(conn: Conn, invoice: Invoice) -> None:
    """Store what may change of an invoice; not its quotes, nor its addresses."""
    change = update(table).where(table.c.id == invoice.id)
    await conn.execute(change.values(**_mutable(invoice)))


async def get(conn: Conn, id: str) -> Invoice | None:
    """The invoice with this id."""
    found = await load(conn, select(table).where(table.c.id == id))
    return found[0] if found else None


async def get_many(conn: Conn, ids: Iterable[str]) -> dict[str, Invoice]:
    """Those of these invoices that there are, by id."""
    found = await load(conn, select(table).where(among(conn, table.c.id, ids)))
    return {invoice.id: invoice for invoice in found}


async def lock(
    conn: Conn, ids: Iterable[str], crossing: tuple[int, int] | None = None
) -> list[Invoice]:
    """Lock these invoices, and those whose deadline a move of chain time crosses, in id order.

    `crossing` is that move, either way: the tip's time before and after it. A deadline lies in it
    from the smaller, included, to the greater, which has not passed it yet. What is returned was
    read after the lock.
    """
    wanted = among(conn, table.c.id, ids)
    if crossing is not None:
        low, high = sorted(crossing)
        crossed = (table.c.deadline >= low) & (table.c.deadline < high)
        wanted = or_(wanted, crossed)
    query = select(table).where(wanted).order_by(table.c.id)
    return await load(conn, query.with_for_update(key_share=True))


async def any_due(conn: Conn, low: int, high: int) -> bool:
    """Whether any invoice has a deadline from `low`, included, to `high`, excluded."""
    due = select(table.c.id).where(table.c.deadline >= low, table.c.deadline < high)
    return (await conn.execute(due.limit(1))).first() is not None


async def past(conn: Conn, time: int) -> list[str]:
    """Ids of the open invoices whose deadline is before `time`, in order."""
    late = (table.c.status.in_(_MAY_EXPIRE)) & (table.c.deadline < time)
    return list(await conn.scalars(select(table.c.id).where(late).order_by(table.c.id)))


async def note(conn: Conn, invoice_id: str, moment: Moment) -> None:
    """Append to the invoice's timeline; its row is the caller's by then."""
    step = select(
        literal(invoice_id, Text),
        func.coalesce(func.max(steps.c.place) + 1, 0),
        literal(moment.status.value, Text),
        literal(moment.at, steps.c.at.type),
        literal(moment.cause.value if moment.cause else None, Text),
        literal(moment.deposit_id, Text),
    ).where(steps.c.invoice_id == invoice_id)
    columns = ["invoice_id", "place", "status", "at", "reason", "deposit_id"]
    await conn.execute(insert(steps).from_select(columns, step))


async def timeline(conn: Conn, ids: Iterable[str]) -> dict[str, list[Moment]]:
    """What each of these invoices went through; empty lists where none."""
    found: dict[str, list[Moment]] = {id: [] for id in ids}
    query = select(steps).where(among(conn, steps.c.invoice_id, found)).order_by(steps.c.place)
    for row in await conn.execute(query):
        cause = Cause(row.reason) if row.reason else None
        moment = Moment(InvoiceStatus(row.status), row.at, cause, row.deposit_id)
        found[row.invoice_id].append(moment)
    return found


async def listing(
    conn: Conn,
    merchant_id: str,
    *,
    status: InvoiceStatus | None = None,
    external_id: str | None = None,
    flag: Flag | None = None,
    created_after: int | None = None,
    created_before: int | None = None,
    after: tuple[int, str] | None = None,
    limit: int = 100,
) -> list[Invoice]:
    """The merchant's invoices, newest first; `after` is where the page before ended.

    That is the `created_at` and id of its last invoice.
    `created_after` includes its own second and `created_before` does not, so windows fit together.
    """
    query = select(table).where(table.c.merchant_id == merchant_id)
    if status is not None:
        few = external_id is not None or flag is not None
        query = query.where((beside(conn, table.c.status) if few else table.c.status) == status)
    if external_id is not None:
        query = query.where(table.c.external_id == external_id)
    if flag is not None:
        query = query.where(schema.FLAGGED[flag])
    if created_after is not None:
        query = query.where(table.c.created_at >= created_after)
    if created_before is not None:
        query = query.where(table.c.created_at < created_before)
    if after is not None:
        query = query.where(tuple_(table.c.created_at, table.c.id) < tuple_(*after))
    newest_first = query.order_by(table.c.created_at.desc(), table.c.id.desc())
    return await load(conn, newest_first.limit(limit))


async def counts(conn: Conn) -> dict[str, int]:
    """How many invoices there are of each status; one that no invoice has is absent."""
    rows = await conn.execute(select(table.c.status, func.count()).group_by(table.c.status))
    return {status: count for status, count in rows}


async def load(conn: Conn, query: Select[Any]) -> list[Invoice]:
    """The invoices of `query`, whole, in three queries however many they are."""
    rows = (await conn.execute(query)).all()
    if not rows:
        return []
    ids = [row.id for row in rows]
    offered: dict[str, list[Quote]] = {id: [] for id in ids}
    ours = select(quotes).where(among(conn, quotes.c.invoice_id, ids)).order_by(quotes.c.place)
    for row in await conn.execute(ours):
        offered[row.invoice_id].append(_quote(row))
    given = await addresses.of_invoices(conn, ids)
    return [_invoice(row, offered[row.id], given[row.id]) for row in rows]


def _invoice(
    row: Row[Any], offered: Sequence[Quote], given: Sequence[addresses.Assigned]
) -> Invoice:
    return Invoice(
        id=row.id,
        merchant_id=row.merchant_id,
        price=Price(row.price_amount, row.price_currency),
        quotes=tuple(offered),
        created_at=row.created_at,
        expires_at=row.expires_at,
        tolerance_percent=row.tolerance_percent,
        selected=row.selected,
        addresses={each.family: each.address for each in given},
        cancelled_at=row.cancelled_at,
        settled_for=row.settled_for,
        external_id=row.external_id,
        details=row.details,
        status=InvoiceStatus(row.status),
        flags=frozenset(Flag(flag) for flag in row.flags),
        seen=row.seen,
        confirmed=row.confirmed,
        unmatched=row.unmatched,
        updated_at=row.updated_at,
        paid_at=row.paid_at,
    )


def _fixed(invoice: Invoice) -> dict[str, Any]:
    return {
        "id": invoice.id,
        "merchant_id": invoice.merchant_id,
        "price_amount": invoice.price.amount,
        "price_currency": invoice.price.currency,
        "tolerance_percent": invoice.tolerance_percent,
        "external_id": invoice.external_id,
        "created_at": invoice.created_at,
        "expires_at": invoice.expires_at,
    }


def _mutable(invoice: Invoice) -> dict[str, Any]:
    return {
        "status": invoice.status,
        "flags": invoice.flags,
        "selected": invoice.selected,
        "details": dict(invoice.details),
        "cancelled_at": invoice.cancelled_at,
        "settled_for": invoice.settled_for,
        "deadline": invoice.deadline,
        "seen": invoice.seen,
        "confirmed": invoice.confirmed,
        "unmatched": invoice.unmatched,
        "updated_at": invoice.updated_at,
        "paid_at": invoice.paid_at,
    }


def _quote_row(invoice_id: str, place: int, quote: Quote) -> dict[str, Any]:
    return {
        "invoice_id": invoice_id,
        "place": place,
        "method": quote.method,
        "network": quote.network,
        "symbol": quote.symbol,
        "contract": quote.contract,
        "decimals": quote.decimals,
        "rate": quote.rate,
        "sources": list(quote.sources),
        "units": quote.units,
        "required": quote.required,
    }


def _quote(row: Row[Any]) -> Quote:
    return Quote(
        method=row.method,
        network=row.network,
        symbol=row.symbol,
        contract=row.contract,
        decimals=row.decimals,
        rate=row.rate,
        sources=tuple(row.sources),
        units=row.units,
        required=row.required,
    )
