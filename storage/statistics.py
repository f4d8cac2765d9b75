"""What deposits of some time add up to: how many a day, and how long they took.

Whatever is in our chain counts; what was orphaned does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, case, func, select

from storage import schema
from storage.types import Conn
from watcher.domain.deposits import DepositStatus
from watcher.domain.ids import make_id
from watcher.domain.money import Network

table = schema.deposits

DAY = 86_400
Spread = dict[Network, list[int]]
"""By network: how many took no longer than each of the bounds, and no shorter than the one
before; the last are those that took longer than any."""


async def per_day(conn: Conn, since: int) -> dict[tuple[Network, int], int]:
    """How many deposits lie in blocks of each day, by network and the day's first second."""
    day = (table.c.block_time // DAY * DAY).label("day")
    counted = select(table.c.network, day, func.count()).where(*_live(since))
    rows = await conn.execute(counted.group_by(table.c.network, day))
    return {(Network(network), day): count for network, day, count in rows}


async def until_detected(conn: Conn, since: int, bounds: Sequence[int]) -> Spread:
    """Seconds from a block's time until its deposits were in the books."""
    return await _spread(conn, since, table.c.detected_at - table.c.block_time, bounds)


async def until_confirmed(conn: Conn, since: int, bounds: Sequence[int]) -> Spread:
    """Seconds from a block's time until its deposits were confirmed; without those that wait."""
    return await _spread(conn, since, table.c.confirmed_at - table.c.block_time, bounds)


async def _spread(
    conn: Conn, since: int, seconds: ColumnElement[int], bounds: Sequence[int]
) -> Spread:
    steps = [(seconds <= bound, place) for place, bound in enumerate(bounds)]
    step = case(*steps, else_=len(bounds)).label("step")
    counted = select(table.c.network, step, func.count()).where(*_live(since), seconds.is_not(None))
    found: Spread = {}
    for network, place, count in await conn.execute(counted.group_by(table.c.network, step)):
        found.setdefault(Network(network), [0] * (len(bounds) + 1))[place] = count
    return found


def _live(since: int) -> tuple[ColumnElement[bool], Any]:
    """In our chain, and in blocks from `since` on: a deposit's id begins with its block's time."""
    first = make_id("dep", since * 1000, bytes(10))
    return table.c.id >= first, table.c.status != DepositStatus.ORPHANED
