"""Deposits: each transfer to us, once per block that it was in; no row is ever deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import RowMapping, Select, bindparam, func, select, update

from storage import schema
from storage.dialects import among, inserting, matching
from storage.types import Conn
from watcher.domain.blocks import Hash
from watcher.domain.deposits import Deposit, DepositStatus, revive
from watcher.domain.money import Address, Network
from watcher.domain.stand_ins import Ceded, StandIn, give_way, is_stand_in, take_place

Change = tuple[Deposit | None, Deposit]
"""A deposit before (None: it is new) and after."""

table = schema.deposits
_FIELDS = tuple(field.name for field in fields(Deposit))
_COLUMNS = tuple(table.c[name] for name in _FIELDS)
_OF_FEW = ("address", "tx_hash", "invoice_id")
_AS_FOUND = (table.c.block_number, table.c.place, table.c.id)
# Who follows a chain and who decides write columns of their own: neither undoes the other.
_BY_CHAIN = ("detected_at", "status", "corroborated", "confirmed_at", "reverted")
_BY_DECISION = ("accepted", "accepted_by_hand")
_READ_OR_DECIDED = tuple(name for name in _FIELDS if name not in ("id", *_BY_CHAIN))


async def add(
    conn: Conn, deposits: Sequence[Deposit], now: int, *, sure: Collection[str] = ()
) -> list[Change]:
    """Store what was found in a block; return what changed, in the order given.

    A deposit that is here already is left alone, unless it was orphaned: then its very block is in
    our chain again, and the row is revived, as it is read now. One that was made of a finding of
    the audit gives way to what is found in that finding's blocks, as far as that goes: it is the
    same money.

    Args:
        sure: ids of those that stay confirmed in such a one's place, with nobody asked for them.
    """
    if not deposits:
        return []
    deposits, ceded = await _replace_stand_ins(conn, deposits, sure)
    deposits = [*deposits, *(rest for rest in ceded.values() if rest is not None)]
    new = inserting(conn, table).on_conflict_do_nothing(index_elements=["id"])
    rows = await _placed(conn, deposits)
    added = set(await conn.scalars(new.returning(table.c.id), rows))
    known = [deposit.id for deposit in deposits if deposit.id not in added]
    returning = {each.id: each for each in await _orphans(conn, known)}
    changes: list[Change] = []
    for deposit in deposits:
        if deposit.id in added:
            changes.append((None, deposit))
        elif deposit.id in returning:
            changes.append((lost := returning[deposit.id], revive(lost, deposit, now)))
    changes += [(stand_in.deposit, give_way(stand_in)) for stand_in in ceded]
    await save(conn, [after for before, after in changes if before])
    anew = [after for before, after in changes if before and _is_other(before, after)]
    await _update(conn, anew, _READ_OR_DECIDED)
    await _point_to_rests(conn, ceded)
    return changes


async def save(conn: Conn, deposits: Iterable[Deposit]) -> None:
    """Store what the chain says of deposits that are here."""
    await _update(conn, deposits, _BY_CHAIN)


async def decide(conn: Conn, deposits: Iterable[Deposit]) -> None:
    """Store what was decided about deposits that are here."""
    await _update(conn, deposits, _BY_DECISION)


async def lock(conn: Conn, invoice_id: str) -> None:
    """Lock an invoice's deposits, before the invoice itself, as those do who follow a chain."""
    rows = select(table.c.id).where(table.c.invoice_id == invoice_id).order_by(table.c.id)
    await conn.execute(rows.with_for_update(key_share=True))


async def pending(conn: Conn, network: Network) -> list[Deposit]:
    """What waits for its confirmations: by block, then as found."""
    return await _all(conn, table.c.network == network, schema.PENDING)


async def in_block(conn: Conn, network: Network, block_hash: Hash) -> list[Deposit]:
    """The deposits of a block of our chain, as found."""
    live = table.c.status != DepositStatus.ORPHANED
    return await _all(conn, table.c.network == network, table.c.block_hash == block_hash, live)


async def of_invoices(conn: Conn, ids: Iterable[str]) -> dict[str, list[Deposit]]:
    """All deposits of each of these invoices, by block and as found; empty lists where none."""
    found: dict[str, list[Deposit]] = {id: [] for id in ids}
    for deposit in await _all(conn, among(conn, table.c.invoice_id, found)):
        found[deposit.invoice_id].append(deposit)
    return found


async def known(conn: Conn, ids: Iterable[str]) -> dict[str, Deposit]:
    """Those of these deposits that are stored, orphaned or not, by id."""
    return {each.id: each for each in await _all(conn, among(conn, table.c.id, ids))}


async def of_transaction(conn: Conn, network: Network, tx_hash: Hash) -> list[Deposit]:
    """The deposits that a transaction made, in every block it was ever in."""
    return await _all(conn, table.c.network == network, table.c.tx_hash == tx_hash)


async def get(conn: Conn, merchant_id: str | None, id: str) -> Deposit | None:
    """The deposit, if it is this merchant's; None asks for any merchant's."""
    query = select(*_COLUMNS).where(table.c.id == id)
    if merchant_id is not None:
        query = query.where(table.c.merchant_id == merchant_id)
    row = (await conn.execute(query)).mappings().first()
    return _deposit(row) if row else None


async def listing(
    conn: Conn,
    merchant_id: str,
    *,
    network: Network | None = None,
    status: DepositStatus | None = None,
    address: Address | None = None,
    tx_hash: Hash | None = None,
    invoice_id: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[Deposit]:
    """The merchant's deposits, newest first; `after` is the last id of the page before."""
    asked = {
        "merchant_id": merchant_id,
        "network": network,
        "status": status,
        "address": address,
        "tx_hash": tx_hash,
        "invoice_id": invoice_id,
    }
    query = select(*_COLUMNS).where(*matching(conn, table, asked, few=_OF_FEW))
    if after is not None:
        query = query.where(table.c.id < after)
    return await _load(conn, query.order_by(table.c.id.desc()).limit(limit))


async def counts(conn: Conn) -> dict[str, int]:
    """How many deposits there are of each status; one that no deposit has is absent."""
    rows = await conn.execute(select(table.c.status, func.count()).group_by(table.c.status))
    return {status: count for status, count in rows}


async def stand_ins(conn: Conn, deposits: Sequence[Deposit]) -> list[StandIn]:
    """Live deposits made of findings at the addresses of these."""
    findings = schema.findings
    query = (
        select(*_COLUMNS, findings.c.first, findings.c.last, findings.c.id.label("finding_id"))
        .join(findings, findings.c.deposit_id == table.c.id)
        .where(
            among(conn, findings.c.network, {each.network for each in deposits}),
            among(conn, findings.c.address, {each.address for each in deposits}),
            table.c.status != DepositStatus.ORPHANED,
        )
    )
    rows = (await conn.execute(query.order_by(table.c.id))).mappings()
    return [
        StandIn(_deposit(row), row["finding_id"], row["first"] or 0, row["last"]) for row in rows
    ]


def _is_other(before: Deposit, after: Deposit) -> bool:
    """Whether more changed than what the chain says of it."""
    return any(getattr(before, name) != getattr(after, name) for name in _READ_OR_DECIDED)


async def _replace_stand_ins(
    conn: Conn, deposits: Sequence[Deposit], sure: Collection[str]
) -> tuple[Sequence[Deposit], Ceded]:
    """`deposits`, those new in place of a finding's deposit as such; who gives way to them."""
    held = await stand_ins(conn, deposits)
    if not held:
        return deposits, {}
    live = table.c.status != DepositStatus.ORPHANED
    ids = select(table.c.id).where(among(conn, table.c.id, [each.id for each in deposits]), live)
    known = set(await conn.scalars(ids))
    found = [each for each in deposits if each.id not in known and not is_stand_in(each)]
    placed, ceded = take_place(found, held, sure)
    by_id = {each.id: each for each in placed}
    return [by_id.get(each.id, each) for each in deposits], ceded


async def _point_to_rests(conn: Conn, ceded: Ceded) -> None:
    """Let each finding name the deposit that is left of it."""
    findings = schema.findings
    for stand_in, rest in ceded.items():
        if rest is not None:
            mine = update(findings).where(findings.c.id == stand_in.finding_id)
            await conn.execute(mine.values(deposit_id=rest.id))


async def _placed(conn: Conn, deposits: Sequence[Deposit]) -> list[dict[str, Any]]:
    """The rows to insert, numbered in each block behind those that it has."""
    hashes = {deposit.block_hash for deposit in deposits}
    last = (
        select(table.c.network, table.c.block_hash, func.max(table.c.place))
        .where(
            among(conn, table.c.network, {deposit.network for deposit in deposits}),
            among(conn, table.c.block_hash, hashes),
        )
        .group_by(table.c.network, table.c.block_hash)
    )
    places = Counter({(row[0], row[1]): row[2] + 1 for row in await conn.execute(last)})
    rows = []
    for deposit in deposits:
        row = {name: getattr(deposit, name) for name in _FIELDS}
        block = (deposit.network, deposit.block_hash)
        rows.append(row | {"tx_hash": deposit.tx_hash or "", "place": places[block]})
        places[block] += 1
    return rows


async def _update(conn: Conn, deposits: Iterable[Deposit], names: Sequence[str]) -> None:
    rows = [
        {"row_id": each.id, **{name: getattr(each, name) for name in names}}
        for each in sorted(deposits, key=_id)  # locked in the same order by everybody
    ]
    if rows:
        change = update(table).where(table.c.id == bindparam("row_id"))
        await conn.execute(change.values({name: bindparam(name) for name in names}), rows)


async def _orphans(conn: Conn, ids: Sequence[str]) -> list[Deposit]:
    if not ids:
        return []
    orphaned = table.c.status == DepositStatus.ORPHANED
    query = select(*_COLUMNS).where(among(conn, table.c.id, ids), orphaned)
    return await _load(conn, query.order_by(table.c.id).with_for_update(key_share=True))


async def _all(conn: Conn, *conditions: Any) -> list[Deposit]:
    return await _load(conn, select(*_COLUMNS).where(*conditions).order_by(*_AS_FOUND))


async def _load(conn: Conn, query: Select[Any]) -> list[Deposit]:
    return [_deposit(row) for row in (await conn.execute(query)).mappings()]


def _deposit(row: RowMapping) -> Deposit:
    facts: dict[str, Any] = {name: row[name] for name in _FIELDS}
    facts["tx_hash"] = facts["tx_hash"] or None
    facts["status"] = DepositStatus(facts["status"])
    return Deposit(**facts)


def _id(deposit: Deposit) -> str:
    return deposit.id
