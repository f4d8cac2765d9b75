"""The log of deliveries: each try with what was sent and what came back; and their counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace

from sqlalchemy import delete, func, literal_column, select

from storage import schema
from storage.dialects import among, inserting
from storage.types import Conn

table = schema.tries
deliveries = schema.deliveries


@dataclass(frozen=True, slots=True)
class Try:
    """One try of a delivery. One that has no row began, and how it ended is not known."""

    delivery_id: str
    number: int
    at: int
    duration_ms: int
    url: str
    headers: dict[str, str]
    status: int | None
    """None: no answer in time."""
    answer: str
    """The beginning of the answer's body."""
    error: str | None


@dataclass(frozen=True, slots=True)
class Load:
    """What waits, and what was given up."""

    pending: int = 0
    """Waits for its first try or the next."""
    failing: int = 0
    """Of those, what failed at least once."""
    oldest_at: int | None = None
    """Since when the oldest of those pending waits."""
    dead: int = 0


_COLUMNS = tuple(table.c[field.name] for field in fields(Try))
_WAITING = deliveries.c.state == literal_column("'waiting'")  # literal, as the partial indexes
_DEAD = deliveries.c.state == literal_column("'dead'")
_COUNTS = (
    func.count(),
    func.count().filter(deliveries.c.failed > 0),
    func.min(deliveries.c.created_at),
)


async def add(conn: Conn, tries: Sequence[Try]) -> None:
    """Store how these tries ended; once."""
    if tries:
        new = inserting(conn, table).on_conflict_do_nothing()
        await conn.execute(new, [asdict(each) for each in tries])


async def of_deliveries(conn: Conn, ids: Iterable[str]) -> dict[str, list[Try]]:
    """The tries of each of these deliveries, in order; empty lists where none."""
    found: dict[str, list[Try]] = {id: [] for id in ids}
    query = select(*_COLUMNS).where(among(conn, table.c.delivery_id, found))
    for row in await conn.execute(query.order_by(table.c.number)):
        found[row.delivery_id].append(Try(*row))
    return found


async def forget(conn: Conn, delivery_ids: Iterable[str]) -> None:
    """Delete the tries of these deliveries."""
    await conn.execute(delete(table).where(among(conn, table.c.delivery_id, delivery_ids)))


async def load(conn: Conn) -> Load:
    """What is queued, over all merchants."""
    pending, failing, oldest_at = (await conn.execute(select(*_COUNTS).where(_WAITING))).one()
    dead = (await conn.execute(select(func.count()).where(_DEAD))).scalar_one()
    return Load(pending, failing, oldest_at, dead)


async def load_by_webhook(conn: Conn, ids: Iterable[str]) -> dict[str, Load]:
    """What is queued for each of these webhooks; one without any is absent."""
    target = deliveries.c.target
    mine = among(conn, target, ids)
    waiting = select(target, *_COUNTS).where(mine, _WAITING).group_by(target)
    dead = select(target, func.count()).where(mine, _DEAD).group_by(target)
    found = {row[0]: Load(*row[1:]) for row in await conn.execute(waiting)}
    for id, number in await conn.execute(dead):
        found[id] = replace(found.get(id, Load()), dead=number)
    return found
