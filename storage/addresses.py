"""Addresses: which wallet each comes from and which invoice it is for; also the watch list."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, exists, func, select, tuple_, update

from storage import schema
from storage.dialects import among, inserting
from storage.types import Conn
from storage.wallets import AddressTaken
from watcher.domain.deposits import DepositStatus, Watched
from watcher.domain.money import Address, Family, Method, Network

__all__ = [
    "AddressTaken",
    "Assigned",
    "fill_pool",
    "free",
    "give",
    "listing",
    "of_invoices",
    "take_from_pool",
    "watched",
]

table = schema.addresses
invoices, quotes, deposits = schema.invoices, schema.quotes, schema.deposits


@dataclass(frozen=True, slots=True)
class Assigned:
    """An address of a wallet and the invoice that has it, for ever."""

    family: Family
    address: Address
    wallet_id: str
    index: int | None
    """Of its derivation; None in a pool."""
    invoice_id: str | None
    """None for an address of a pool that is still free."""


_COLUMNS = (
    table.c.family,
    table.c.address,
    table.c.wallet_id,
    table.c.index,
    table.c.invoice_id,
)


async def fill_pool(
    conn: Conn, wallet_id: str, family: Family, addresses: Sequence[Address]
) -> None:
    """Add `addresses` behind those that the pool has.

    Raises:
        AddressTaken: one is known already, or stands in the list twice; roll back.
    """
    wallets = schema.wallets
    owner = select(wallets.c.id).where(wallets.c.id == wallet_id)
    await conn.execute(owner.with_for_update(key_share=True))  # one filler at a time
    last = select(func.coalesce(func.max(table.c.place), -1)).where(table.c.wallet_id == wallet_id)
    first = (await conn.execute(last)).scalar_one() + 1
    rows = [
        {"family": family, "address": address, "wallet_id": wallet_id, "place": place}
        for place, address in enumerate(addresses, first)
    ]
    await _insert(conn, rows)


async def give(conn: Conn, assigned: Assigned, now: int) -> None:
    """Store a derived address as the invoice's.

    Raises:
        AddressTaken: it is known already; the transaction may go on.
    """
    row = {
        "family": assigned.family,
        "address": assigned.address,
        "wallet_id": assigned.wallet_id,
        "index": assigned.index,
        "invoice_id": assigned.invoice_id,
        "assigned_at": now,
    }
    await _insert(conn, [row])


async def take_from_pool(conn: Conn, wallet_id: str, invoice_id: str, now: int) -> Address | None:
    """Give the invoice the pool's next address, in the order added; None when it is empty."""
    free = (
        select(table.c.family, table.c.address)
        .where(table.c.wallet_id == wallet_id, schema.FREE)
        .order_by(table.c.place)
        .limit(1)
        .with_for_update(key_share=True, skip_locked=True)
    )
    row = (await conn.execute(free)).first()
    if row is None:
        return None
    mine = (table.c.family == row.family) & (table.c.address == row.address)
    await conn.execute(update(table).where(mine).values(invoice_id=invoice_id, assigned_at=now))
    return Address(row.address)


async def of_invoices(conn: Conn, ids: Iterable[str]) -> dict[str, list[Assigned]]:
    """The addresses of each of these invoices; an empty list for one that has none."""
    found: dict[str, list[Assigned]] = {id: [] for id in ids}
    query = select(*_COLUMNS).where(among(conn, table.c.invoice_id, found))
    for row in await conn.execute(query.order_by(table.c.family)):
        found[row.invoice_id].append(Assigned(*row))
    return found


async def watched(
    conn: Conn, network: Network, family: Family, addresses: Collection[Address]
) -> dict[Address, Watched]:
    """Those of `addresses` that belong to an invoice, and to which.

    One query on an index for any number of addresses, and one more where some are ours.
    """
    if not addresses:
        return {}
    ours = (
        select(table.c.address, invoices.c.id, invoices.c.merchant_id)
        .join(invoices, invoices.c.id == table.c.invoice_id)
        .where(table.c.family == family, among(conn, table.c.address, addresses))
    )
    hits = (await conn.execute(ours)).all()
    if not hits:
        return {}
    rules = select(quotes.c.invoice_id, quotes.c.required).where(
        quotes.c.network == network, among(conn, quotes.c.invoice_id, {hit.id for hit in hits})
    )
    required = {row.invoice_id: row.required for row in await conn.execute(rules)}
    return {
        Address(hit.address): Watched(hit.merchant_id, hit.id, required.get(hit.id)) for hit in hits
    }


async def free(conn: Conn, family: Family, addresses: Collection[Address]) -> set[Address]:
    """Those of `addresses` that are of a pool and no invoice has yet."""
    query = select(table.c.address).where(
        table.c.family == family, among(conn, table.c.address, addresses), schema.FREE
    )
    return {Address(address) for address in await conn.scalars(query)}


async def listing(
    conn: Conn,
    *,
    wallet_id: str | None = None,
    funded: bool = False,
    after: tuple[Family, Address] | None = None,
    limit: int = 100,
) -> list[tuple[Assigned, dict[Method, int]]]:
    """Addresses by family and address, each with the confirmed units it received per method."""
    query = _page(wallet_id=wallet_id, funded=funded, after=after).limit(limit)
    found = [Assigned(*row) for row in await conn.execute(query)]
    received = await _received(conn, {each.address for each in found})
    return [(each, received.get(each.address, {})) for each in found]


def _page(
    *, wallet_id: str | None, funded: bool, after: tuple[Family, Address] | None
) -> Select[Any]:
    query = select(*_COLUMNS).order_by(table.c.family, table.c.address)
    if wallet_id is not None:
        query = query.where(table.c.wallet_id == wallet_id)
    if funded:
        got = deposits.c.status == DepositStatus.CONFIRMED
        query = query.where(exists().where(deposits.c.address == table.c.address, got))
    if after is not None:
        query = query.where(tuple_(table.c.family, table.c.address) > tuple_(*after))
    return query


async def _received(conn: Conn, addresses: Collection[Address]) -> dict[str, dict[Method, int]]:
    query = select(deposits.c.address, deposits.c.method, deposits.c.units).where(
        among(conn, deposits.c.address, addresses),
        deposits.c.status == DepositStatus.CONFIRMED,
    )
    sums: dict[str, dict[Method, int]] = {}
    for row in await conn.execute(query):
        methods = sums.setdefault(row.address, {})
        methods[row.method] = methods.get(row.method, 0) + row.units
    return sums


async def _insert(conn: Conn, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    new = inserting(conn, table).on_conflict_do_nothing(index_elements=["family", "address"])
    added = set(await conn.scalars(new.returning(table.c.address), rows))
    for row in rows:
        if row["address"] not in added:
            raise AddressTaken(row["address"])
        added.remove(row["address"])  # in the list twice, it was added once
