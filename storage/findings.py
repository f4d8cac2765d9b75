"""Findings of the audit; no row is ever deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import RowMapping, bindparam, func, insert, select, update

from storage import schema
from storage.dialects import among
from storage.types import Conn
from watcher.domain.audit import Finding, FindingKind, FindingState
from watcher.domain.money import Address, Network

table = schema.findings
_FIELDS = tuple(field.name for field in fields(Finding))
_MUTABLE = ("units", "state", "closed_at", "deposit_id")


async def add(conn: Conn, findings: Sequence[Finding]) -> None:
    """Store new findings."""
    rows = [{name: getattr(each, name) for name in _FIELDS} for each in findings]
    if rows:
        await conn.execute(insert(table), rows)


async def save(conn: Conn, findings: Iterable[Finding]) -> None:
    """Store what may change of findings that are here."""
    rows = [
        {"row_id": each.id, **{name: getattr(each, name) for name in _MUTABLE}} for each in findings
    ]
    if rows:
        values = {name: bindparam(name, type_=table.c[name].type) for name in _MUTABLE}
        await conn.execute(
            update(table).where(table.c.id == bindparam("row_id")).values(values), rows
        )


async def get(conn: Conn, id: str) -> Finding | None:
    """The finding with this id."""
    row = (await conn.execute(select(table).where(table.c.id == id))).mappings().first()
    return _finding(row) if row else None


async def of_addresses(
    conn: Conn, network: Network, addresses: Collection[Address]
) -> list[Finding]:
    """All findings at these addresses, oldest first."""
    query = select(table).where(table.c.network == network, among(conn, table.c.address, addresses))
    rows = (await conn.execute(query.order_by(table.c.id))).mappings()
    return [_finding(row) for row in rows]


async def listing(
    conn: Conn,
    *,
    network: Network | None = None,
    state: FindingState | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[Finding]:
    """Findings, newest first; `after` is the last id of the page before."""
    query = select(table)
    if network is not None:
        query = query.where(table.c.network == network)
    if state is not None:
        query = query.where(table.c.state == state)
    if after is not None:
        query = query.where(table.c.id < after)
    rows = (await conn.execute(query.order_by(table.c.id.desc()).limit(limit))).mappings()
    return [_finding(row) for row in rows]


async def open_count(conn: Conn) -> int:
    """How many findings a person should look at."""
    query = select(func.count()).where(table.c.state == FindingState.OPEN)
    return (await conn.scalars(query)).one()


def _finding(row: RowMapping) -> Finding:
    facts: dict[str, Any] = {name: row[name] for name in _FIELDS}
    facts["kind"] = FindingKind(facts["kind"])
    facts["state"] = FindingState(facts["state"])
    return Finding(**facts)
