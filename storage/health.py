"""What each follower says of itself, for the status and for other processes."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from storage import schema
from storage.dialects import inserting
from storage.types import Conn
from watcher.domain.money import Network

table = schema.health


async def publish(conn: Conn, network: Network, report: Mapping[str, object], now: int) -> None:
    """Put `report` in place of the network's former one."""
    said = {"at": now, "report": dict(report)}
    new = inserting(conn, table).values(network=network, **said)
    await conn.execute(new.on_conflict_do_update(index_elements=["network"], set_=said))


async def reports(conn: Conn) -> dict[Network, tuple[int, dict[str, object]]]:
    """When each network last reported, and what."""
    rows = await conn.execute(select(table))
    return {Network(row.network): (row.at, row.report) for row in rows}
