"""How far each network is: written with the data that it describes, behind the lease's fence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, case, func, literal, or_, select, update
from sqlalchemy.types import BigInteger

from storage import schema
from storage.leases import Lease, fenced
from storage.types import Conn
from watcher.domain.blocks import BlockRef, Hash
from watcher.domain.money import Network

table = schema.networks


@dataclass(frozen=True, slots=True)
class Cursor:
    """What we know of a network."""

    tip: BlockRef | None
    """Our newest block; None before the first."""
    finalized: int | None
    """Number of the newest block that we know to be final."""
    genesis_hash: Hash | None
    """Which chain this is; fixed by whoever said it first."""


async def get(conn: Conn, network: Network) -> Cursor | None:
    """The network's cursor; None if nobody ever followed it."""
    row = (await conn.execute(select(table).where(table.c.network == network))).first()
    return _cursor(row)


async def hold(conn: Conn, network: Network) -> Cursor | None:
    """The same, and nobody moves it before the transaction ends: not its follower either."""
    mine = select(table).where(table.c.network == network).with_for_update(key_share=True)
    return _cursor((await conn.execute(mine)).first())


async def bind(conn: Conn, lease: Lease, genesis_hash: Hash) -> Hash:
    """Bind the network to a chain, once: return the genesis hash that was kept first.

    Raises:
        LeaseLost: another process follows this network now.
    """
    first = func.coalesce(table.c.genesis_hash, genesis_hash)
    await fenced(conn, lease, update(table).values(genesis_hash=first))
    kept = select(table.c.genesis_hash).where(table.c.network == lease.network)
    return Hash((await conn.execute(kept)).scalar_one())


async def move(conn: Conn, lease: Lease, tip: BlockRef, finalized: int | None) -> None:
    """Move to `tip`, up or down; what is final stays final, whatever a node says later.

    Raises:
        LeaseLost: another process follows this network now.
    """
    known = literal(finalized, BigInteger)
    higher = or_(table.c.finalized.is_(None), table.c.finalized < known)
    moved = update(table).values(
        tip_number=tip.number,
        tip_hash=tip.hash,
        tip_parent_hash=tip.parent_hash,
        tip_timestamp=tip.timestamp,
        finalized=case((higher, known), else_=table.c.finalized),
    )
    await fenced(conn, lease, moved)


async def tips(conn: Conn) -> dict[Network, BlockRef]:
    """Our newest block on each network that has one."""
    rows = await conn.execute(select(table).where(table.c.tip_number.is_not(None)))
    return {Network(row.network): _tip(row) for row in rows}


def _cursor(row: Row[Any] | None) -> Cursor | None:
    if row is None:
        return None
    tip = None if row.tip_number is None else _tip(row)
    return Cursor(tip, row.finalized, row.genesis_hash)


def _tip(row: Row[Any]) -> BlockRef:
    return BlockRef(
        row.tip_number, Hash(row.tip_hash), Hash(row.tip_parent_hash), row.tip_timestamp
    )
