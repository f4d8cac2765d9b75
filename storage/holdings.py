"""What the audit measured last, of whom it is due, and what the ledger says had arrived."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, literal, or_, select

from storage import schema
from storage.dialects import among, inserting
from storage.types import Conn
from watcher.domain.audit import FindingState, Measure
from watcher.domain.deposits import DepositStatus
from watcher.domain.invoices import InvoiceStatus
from watcher.domain.money import Address, Family, Method, Network

table, runs = schema.holdings, schema.audits
addresses, deposits = schema.addresses, schema.deposits
findings, invoices = schema.findings, schema.invoices

Measures = Mapping[Method, Measure]
Arrivals = dict[tuple[Address, Method], list[tuple[int, int]]]
"""Deposits in our chain of each address and method, each as (block number, units)."""

_OPEN = (InvoiceStatus.AWAITING_PAYMENT, InvoiceStatus.PARTIALLY_PAID, InvoiceStatus.CONFIRMING)


@dataclass(frozen=True, slots=True)
class Run:
    """A network's newest audit."""

    at: int
    number: int | None
    """The final block at which balances were compared; None: none were."""
    addresses: int
    reason: str | None
    """Why it ended early; None: it did not."""
    reached: Address | None
    """How far the rotation over all other addresses is; None: it begins anew."""


async def urgent(conn: Conn, network: Network, family: Family, since: int) -> list[Address]:
    """Addresses of invoices that are open, or closed after `since`, or with an open finding.

    Those that wait longest come first, so that a run that ends early leaves nobody out for ever.
    """
    waits = select(findings.c.address).where(
        findings.c.network == network, findings.c.state == FindingState.OPEN
    )
    query = (
        select(addresses.c.address)
        .join(invoices, invoices.c.id == addresses.c.invoice_id)
        .outerjoin(table, (table.c.network == network) & (table.c.address == addresses.c.address))
        .where(
            addresses.c.family == family,
            or_(
                invoices.c.status.in_(_OPEN),
                invoices.c.deadline >= since,
                addresses.c.address.in_(waits),
            ),
        )
        .order_by(func.coalesce(table.c.at, literal(0)), addresses.c.address)
    )
    return [Address(each) for each in await conn.scalars(query)]


async def others(conn: Conn, family: Family, after: Address | None, limit: int) -> list[Address]:
    """The next of all addresses that belong to an invoice, in order."""
    query = select(addresses.c.address).where(
        addresses.c.family == family,
        addresses.c.invoice_id.is_not(None),
        addresses.c.address > (after or ""),
    )
    found = await conn.scalars(query.order_by(addresses.c.address).limit(limit))
    return [Address(each) for each in found]


async def get(
    conn: Conn, network: Network, among_these: Collection[Address]
) -> dict[Address, Measures]:
    """The last measures of these addresses; nothing for one that was never measured."""
    query = select(table.c.address, table.c.measures).where(
        table.c.network == network, among(conn, table.c.address, among_these)
    )
    return {
        Address(row.address): {Method(m): _measure(*facts) for m, facts in row.measures.items()}
        for row in await conn.execute(query)
    }


async def put(conn: Conn, network: Network, measured: Mapping[Address, Measures], now: int) -> None:
    """Store the measures of these addresses in place of the former ones."""
    if not measured:
        return
    new = inserting(conn, table)
    changed = {name: new.excluded[name] for name in ("at", "measures")}
    rows = [
        {"network": network, "address": address, "at": now, "measures": _json(measures)}
        for address, measures in sorted(measured.items())
    ]
    await conn.execute(
        new.on_conflict_do_update(index_elements=["network", "address"], set_=changed), rows
    )


def _json(measures: Measures) -> dict[str, list[Any]]:
    return {m: [each.first, each.last, each.units, each.credits] for m, each in measures.items()}


def _measure(first: int, last: int, units: int, credits: int | list[tuple[int, int]]) -> Measure:
    """`credits` is a sum where an earlier version noted it."""
    if isinstance(credits, int):
        return Measure(first, last, units, ((None, credits),))
    return Measure(first, last, units, tuple((block, each) for block, each in credits))


async def arrivals(conn: Conn, network: Network, among_these: Iterable[Address]) -> Arrivals:
    """What the ledger says arrived at these addresses, ever."""
    query = select(
        deposits.c.address, deposits.c.method, deposits.c.block_number, deposits.c.units
    ).where(
        deposits.c.network == network,
        among(conn, deposits.c.address, among_these),
        deposits.c.status != DepositStatus.ORPHANED,
    )
    found: Arrivals = {}
    for row in await conn.execute(query):
        key = (Address(row.address), Method(row.method))
        found.setdefault(key, []).append((row.block_number, row.units))
    return found


async def note_run(conn: Conn, network: Network, run: Run) -> None:
    """Store the network's newest audit in place of the former one."""
    said = {
        "at": run.at,
        "number": run.number,
        "addresses": run.addresses,
        "reason": run.reason,
        "reached": run.reached,
    }
    new = inserting(conn, runs).values(network=network, **said)
    await conn.execute(new.on_conflict_do_update(index_elements=["network"], set_=said))


async def last_runs(conn: Conn) -> dict[Network, Run]:
    """The newest audit of each network that had one."""
    rows = await conn.execute(select(runs))
    return {
        Network(row.network): Run(row.at, row.number, row.addresses, row.reason, row.reached)
        for row in rows
    }
