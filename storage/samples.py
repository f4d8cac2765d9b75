"""Where each network stood minute by minute, for the charts; kept for a week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from sqlalchemy import delete, select

from storage import schema
from storage.dialects import inserting
from storage.types import Conn
from watcher.domain.money import Network

table = schema.samples

KEPT_SECONDS = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Sample:
    """How far a follower was in one minute, or rather at some moment of it."""

    at: int
    """The minute's first second."""
    lag_blocks: int | None
    """Blocks that the nodes had and we had not; None before our first block."""
    age_seconds: int | None
    """How old our newest block was by the wall clock."""


_COLUMNS = tuple(table.c[field.name] for field in fields(Sample))


async def add(conn: Conn, network: Network, sample: Sample) -> None:
    """Store a sample, unless the minute has one, and forget what is older than a week."""
    new = inserting(conn, table).values(network=network, **asdict(sample))
    await conn.execute(new.on_conflict_do_nothing())
    old = (table.c.network == network) & (table.c.at < sample.at - KEPT_SECONDS)
    await conn.execute(delete(table).where(old))


async def since(conn: Conn, network: Network, time: int) -> Sequence[Sample]:
    """The network's samples from `time` on, oldest first; a minute without a follower has none."""
    query = select(*_COLUMNS).where(table.c.network == network, table.c.at >= time)
    return [Sample(*row) for row in await conn.execute(query.order_by(table.c.at))]
