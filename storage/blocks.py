"""The newest blocks of our copy of each chain: enough to take back a reorg."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, delete, insert, select

from storage import schema
from storage.types import Conn
from watcher.domain.blocks import BlockRef, Hash
from watcher.domain.money import Network

table = schema.blocks


async def tip(conn: Conn, network: Network) -> BlockRef | None:
    """Our newest block; None before the first."""
    query = select(table).where(table.c.network == network)
    return _ref((await conn.execute(query.order_by(table.c.number.desc()).limit(1))).first())


async def at(conn: Conn, network: Network, number: int) -> BlockRef | None:
    """The block that we hold at `number`; None above the tip and below what is kept."""
    query = select(table).where(table.c.network == network, table.c.number == number)
    return _ref((await conn.execute(query)).first())


async def lowest(conn: Conn, network: Network) -> int | None:
    """Number of the oldest block that we keep; None before the first."""
    query = select(table.c.number).where(table.c.network == network)
    return (await conn.scalars(query.order_by(table.c.number).limit(1))).first()


async def times(conn: Conn, network: Network) -> list[int]:
    """The times of the blocks that we keep, oldest block first."""
    query = select(table.c.timestamp).where(table.c.network == network)
    return list(await conn.scalars(query.order_by(table.c.number)))


async def push(
    conn: Conn, network: Network, refs: Sequence[BlockRef], keep: int
) -> BlockRef | None:
    """Put `refs`, oldest first, on our tip, keep the newest `keep`, and return the former tip.

    Raises:
        ValueError: one does not build on the block below it.
    """
    former = below = await tip(conn, network)
    for ref in refs:
        if below and (ref.number, ref.parent_hash) != (below.number + 1, below.hash):
            raise ValueError(
                f"{network}: block {ref.number} {ref.hash} does not build on our tip,"
                f" {below.number} {below.hash}"
            )
        below = ref
    kept = refs[-keep:]
    await conn.execute(insert(table), [{"network": network, **asdict(ref)} for ref in kept])
    old = (table.c.network == network) & (table.c.number <= refs[-1].number - keep)
    await conn.execute(delete(table).where(old))
    return former


async def pop(conn: Conn, network: Network) -> tuple[BlockRef, BlockRef | None]:
    """Take our tip off; return it and the new tip, None when that was the last block we held.

    Raises:
        LookupError: we hold no block.
    """
    top = await tip(conn, network)
    if top is None:
        raise LookupError(f"{network}: there is no block to take off")
    mine = (table.c.network == network) & (table.c.number == top.number)
    await conn.execute(delete(table).where(mine))
    return top, await tip(conn, network)


def _ref(row: Row[Any] | None) -> BlockRef | None:
    if row is None:
        return None
    return BlockRef(row.number, Hash(row.hash), Hash(row.parent_hash), row.timestamp)
