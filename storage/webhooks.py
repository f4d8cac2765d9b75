"""Webhooks: where a merchant wants to be told of what, and how it is signed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from sqlalchemy import func, insert, select, update

from storage import schema
from storage.dialects import among
from storage.types import Conn

table = schema.webhooks

State = Literal["enabled", "disabled", "deleted"]
ENABLED, DELETED = table.c.state == "enabled", table.c.state == "deleted"


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint of a merchant. Its row outlives it, since deliveries name it."""

    id: str
    merchant_id: str
    url: str
    host: str
    """Host and port of the URL."""
    events: frozenset[str]
    """Patterns, see `watcher.domain.events.PATTERNS`."""
    dialect: str
    description: str | None
    retry_count: int
    timeout_ms: int | None
    """None: as configured."""
    state: State
    reason: str | None
    """Why it is disabled."""
    secret: bytes
    """Encrypted, as is the former one."""
    former_secret: bytes | None
    former_until: int | None
    """Until then the former secret signs, too."""
    created_at: int
    updated_at: int
    names: frozenset[str] | None = None
    """What it subscribed to in its dialect's words; None: all that come of `events`."""


_COLUMNS = tuple(table.c[field.name] for field in fields(Webhook))


async def add(conn: Conn, webhook: Webhook) -> None:
    """Store a new one."""
    await conn.execute(insert(table).values(**asdict(webhook)))


async def get(conn: Conn, id: str) -> Webhook | None:
    """The webhook with this id, unless it was deleted."""
    row = (await conn.execute(select(*_COLUMNS).where(table.c.id == id, ~DELETED))).first()
    return Webhook(*row) if row else None


async def lock(conn: Conn, ids: Iterable[str]) -> dict[str, Webhook]:
    """These webhooks by id, deleted ones too, locked in id order: read after the lock.

    Whoever moves deliveries along with the state of their webhook locks the webhook first.
    """
    query = select(*_COLUMNS).where(among(conn, table.c.id, ids)).order_by(table.c.id)
    rows = await conn.execute(query.with_for_update(key_share=True))
    return {row.id: Webhook(*row) for row in rows}


async def get_many(conn: Conn, ids: Iterable[str]) -> dict[str, Webhook]:
    """These webhooks by id, deleted ones too."""
    rows = await conn.execute(select(*_COLUMNS).where(among(conn, table.c.id, ids)))
    return {row.id: Webhook(*row) for row in rows}


async def listing(conn: Conn, merchant_id: str) -> list[Webhook]:
    """All of the merchant's, oldest first."""
    query = select(*_COLUMNS).where(table.c.merchant_id == merchant_id, ~DELETED)
    return [Webhook(*row) for row in await conn.execute(query.order_by(table.c.id))]


async def enabled(conn: Conn, merchant_id: str) -> list[Webhook]:
    """Those that want events now."""
    query = select(*_COLUMNS).where(table.c.merchant_id == merchant_id, ENABLED)
    return [Webhook(*row) for row in await conn.execute(query.order_by(table.c.id))]


async def count(conn: Conn, merchant_id: str) -> int:
    """How many the merchant has; nobody else counts them until the transaction ends."""
    merchants = schema.merchants
    owner = select(merchants.c.id).where(merchants.c.id == merchant_id)
    await conn.execute(owner.with_for_update(key_share=True))
    query = select(func.count()).where(table.c.merchant_id == merchant_id, ~DELETED)
    number: int = (await conn.execute(query)).scalar_one()
    return number


async def disable(conn: Conn, id: str, reason: str, now: int) -> None:
    """Switch one off that is on."""
    off = {"state": "disabled", "reason": reason, "updated_at": now}
    await conn.execute(update(table).where(table.c.id == id, ENABLED).values(**off))


async def change(conn: Conn, id: str, now: int, **values: Any) -> None:
    """Store new values of these columns."""
    values["updated_at"] = now
    await conn.execute(update(table).where(table.c.id == id).values(**values))
