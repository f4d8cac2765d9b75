"""Which endpoints gave a block again, with the same contents, when it was deep enough."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from storage import schema
from storage.dialects import inserting
from storage.types import Conn
from watcher.domain.blocks import Hash
from watcher.domain.money import Network

table = schema.corroborations


async def add(
    conn: Conn, network: Network, block_hash: Hash, endpoints: Iterable[str], now: int
) -> None:
    """Store that `endpoints` gave the block; said again, it changes nothing."""
    given = [
        {"network": network, "block_hash": block_hash, "endpoint": endpoint, "at": now}
        for endpoint in sorted(set(endpoints))
    ]
    if given:
        await conn.execute(inserting(conn, table).on_conflict_do_nothing(), given)


async def endpoints(conn: Conn, network: Network, block_hash: Hash) -> set[str]:
    """Who gave the block."""
    query = select(table.c.endpoint).where(
        table.c.network == network, table.c.block_hash == block_hash
    )
    return set(await conn.scalars(query))
