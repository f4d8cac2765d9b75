"""What is to be delivered: one row for each event and each place that wants to be told of it.

A row waits until it is due. Whoever takes it makes it due again only when a lease is over, by the
database's clock, so nobody else takes it meanwhile, and somebody does if the taker dies. Taking
numbers the try; the outcome is stored only while that number is the newest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal
from urllib.parse import urlsplit

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    case,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)

from storage import schema, tries, webhooks
from storage.dialects import among, clock, matching
from storage.lanes import WAITING, Lane
from storage.types import Conn
from watcher.domain.events import EventType, wants
from watcher.domain.ids import derived_id

table = schema.deliveries

State = Literal["waiting", "held", "delivered", "dead"]

UNFINISHED = or_(table.c.state == "waiting", table.c.state == "held")  # an IN takes no many rows
BLOCKS_UNTIL = 2
"""A delivery holds up the later ones of its invoice until so many of its tries failed."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to a webhook, or to an invoice's `callback_url`."""

    id: str
    merchant_id: str
    event_id: str
    seq: int
    invoice_id: str
    webhook_id: str | None
    """None: to the invoice's `callback_url`."""
    host: str
    state: State
    """`held` while its webhook is disabled."""
    tries: int
    """How many were begun, over all redeliveries."""
    failed: int
    """How many failed since it was queued, or queued again."""
    due_at: int
    created_at: int
    finished_at: int | None

    @property
    def lane(self) -> Lane:
        return self.merchant_id, self.host


_COLUMNS = tuple(table.c[field.name] for field in fields(Delivery))


async def fan_out(conn: Conn, merchant_id: str, events: Sequence[Mapping[str, Any]]) -> None:
    """Queue events just stored for the merchant's webhooks that want them, and for callbacks."""
    subscribed = await webhooks.enabled(conn, merchant_id)
    rows = []
    for event in events:
        for webhook in subscribed:
            if wants(webhook.events, EventType(event["type"])):
                rows.append(_row(event, webhook.id, webhook.host, webhook.id))
        if url := _callback_url(event):
            rows.append(_row(event, event["invoice_id"], _host(url), None))
    if rows:
        await conn.execute(insert(table), rows)


async def take(conn: Conn, lane: Lane, limit: int, lease_seconds: int) -> list[Delivery]:
    """Take what is due in a lane, for at least so long; each numbered as the try that it now is.

    Of one invoice and place the earlier goes first, unless it has failed twice.
    """
    earlier = table.alias("earlier")
    waits = exists().where(
        earlier.c.state == WAITING,
        earlier.c.target == table.c.target,
        earlier.c.invoice_id == table.c.invoice_id,
        earlier.c.seq < table.c.seq,
        earlier.c.failed < BLOCKS_UNTIL,
    )
    due = (
        select(table.c.id)
        .where(table.c.state == WAITING, table.c.due_at <= clock(conn))
        .where(table.c.merchant_id == lane[0], table.c.host == lane[1], ~waits)
        .order_by(table.c.due_at, table.c.seq)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(await conn.scalars(due))
    if not ids:
        return []
    until = clock(conn) + 1 + lease_seconds  # the clock is rounded down
    leased = (
        update(table)
        .where(among(conn, table.c.id, ids))
        .values(tries=table.c.tries + 1, due_at=until)
        .returning(*_COLUMNS)
    )
    taken = [Delivery(*row) for row in await conn.execute(leased)]
    return sorted(taken, key=lambda each: each.seq)


async def succeed(conn: Conn, taken: Sequence[Delivery], now: int) -> None:
    """End these as delivered; as all that follows, unless somebody else has taken one since."""
    if not taken:
        return
    same = (table.c.id == bindparam("row"), table.c.tries == bindparam("number"))
    mine = and_(*same, UNFINISHED)  # also where it was switched off meanwhile: it did arrive
    delivered = update(table).where(mine).values(state="delivered", finished_at=now)
    await conn.execute(delivered, [{"row": each.id, "number": each.tries} for each in taken])


async def give_up(conn: Conn, taken: Delivery, now: int) -> None:
    """Count a failed try, and end it as dead."""
    await _settle(conn, taken, state="dead", failed=table.c.failed + 1, finished_at=now)


async def fail(conn: Conn, taken: Delivery, again_seconds: int) -> None:
    """Count a failed try; the next is due in so many seconds."""
    again = clock(conn) + again_seconds
    await _settle(conn, taken, failed=table.c.failed + 1, due_at=again)


async def put_back(conn: Conn, taken: Delivery, state: Literal["waiting", "held"]) -> None:
    """Undo a taking: it is due now, or when its webhook is enabled again."""
    await _settle(conn, taken, state=state, tries=table.c.tries - 1, due_at=clock(conn))


async def drop(conn: Conn, taken: Delivery) -> None:
    """Forget what its receiver has no words for: it was never tried."""
    await conn.execute(delete(table).where(table.c.id == taken.id, table.c.tries == taken.tries))


async def hold(conn: Conn, webhook_id: str) -> None:
    """Let what waits for a webhook wait until it is enabled again."""
    await _move(conn, webhook_id, "waiting", state="held")


async def release(conn: Conn, webhook_id: str) -> None:
    """Let what was held for a webhook be due now, but for what is under way."""
    await _move(conn, webhook_id, "held", state="waiting", due_at=_soonest(conn), failed=0)


async def abandon(conn: Conn, target: str, now: int) -> None:
    """Give up what waits for a webhook, or an invoice's callback: it is deleted, or gone."""
    for state in ("waiting", "held"):
        await _move(conn, target, state, state="dead", finished_at=now)


async def reroute(conn: Conn, webhook_id: str, host: str) -> None:
    """Move what waits for a webhook to the lane of another host."""
    moved = update(table).where(table.c.target == webhook_id, UNFINISHED)
    await conn.execute(moved.values(host=host))


async def again(conn: Conn, id: str, host: str) -> None:
    """Let a finished delivery begin anew, or a waiting one be due now; not one under way."""
    values = {"state": "waiting", "failed": 0, "due_at": _soonest(conn), "host": host}
    await conn.execute(update(table).where(table.c.id == id).values(**values, finished_at=None))


async def get(conn: Conn, merchant_id: str, id: str) -> Delivery | None:
    """The merchant's delivery with this id."""
    mine = (table.c.id == id) & (table.c.merchant_id == merchant_id)
    row = (await conn.execute(select(*_COLUMNS).where(mine))).first()
    return Delivery(*row) if row else None


async def listing(
    conn: Conn,
    merchant_id: str,
    *,
    webhook_id: str | None = None,
    invoice_id: str | None = None,
    state: State | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[Delivery]:
    """The merchant's deliveries, newest first; `after` is the last id of the page before."""
    asked = {
        "merchant_id": merchant_id,
        "state": state,
        "target": webhook_id,
        "invoice_id": invoice_id,
    }
    query = select(*_COLUMNS).where(*matching(conn, table, asked, few=("invoice_id",)))
    if after is not None:
        query = query.where(table.c.id < after)
    found = await conn.execute(query.order_by(table.c.id.desc()).limit(limit))
    return [Delivery(*row) for row in found]


async def told_before(conn: Conn, one: Delivery, deposit_id: str) -> EventType | None:
    """The newest event of this deposit that its receiver was to be told of before this one.

    What it has no words for was dropped, so nothing is found that it never heard of.
    """
    events = schema.events
    query = (
        select(events.c.type)
        .join_from(table, events, events.c.id == table.c.event_id)
        .where(table.c.target == (one.webhook_id or one.invoice_id))
        .where(table.c.invoice_id == one.invoice_id, table.c.seq < one.seq)
        .where(events.c.deposit_id == deposit_id)
        .order_by(table.c.seq.desc())
        .limit(1)
    )
    type: str | None = await conn.scalar(query)
    return None if type is None else EventType(type)


async def awaited(conn: Conn, event_ids: Iterable[str]) -> set[str]:
    """Which of these events a delivery waits to bring; until we end no other begins to."""
    mine = among(conn, table.c.event_id, event_ids)
    query = select(table.c.event_id, table.c.state).where(mine).order_by(table.c.id)
    rows = await conn.execute(query.with_for_update())
    return {event_id for event_id, state in rows if state in ("waiting", "held")}


async def forget(conn: Conn, event_ids: Iterable[str]) -> None:
    """Delete the deliveries of these events, with their tries."""
    found = select(table.c.id).where(among(conn, table.c.event_id, event_ids))
    ids = list(await conn.scalars(found))
    await tries.forget(conn, ids)
    await conn.execute(delete(table).where(among(conn, table.c.id, ids)))


async def _settle(conn: Conn, taken: Delivery, **values: Any) -> None:
    mine = and_(table.c.id == taken.id, table.c.tries == taken.tries, table.c.state == WAITING)
    await conn.execute(update(table).where(mine).values(**values))


def _soonest(conn: Conn) -> ColumnElement[int]:
    """Now; where a try is under way the end of its lease, so that two never send it at once."""
    ended = exists().where(
        tries.table.c.delivery_id == table.c.id, tries.table.c.number == table.c.tries
    )
    under_way = and_(UNFINISHED, table.c.tries > 0, table.c.due_at > clock(conn), ~ended)
    return case((under_way, table.c.due_at), else_=clock(conn))


async def _move(conn: Conn, target: str, of: str, **values: Any) -> None:
    mine = (table.c.target == target) & (table.c.state == of)
    await conn.execute(update(table).where(mine).values(**values))


def _callback_url(event: Mapping[str, Any]) -> str | None:
    """Where the invoice of this event wants to be told of it."""
    invoice = event["data"].get("invoice", {})
    if event["deposit_id"] is not None and not invoice.get("callback_per_deposit"):
        return None
    url: str | None = invoice.get("callback_url")
    return url


def _host(url: str) -> str:
    """Host and port, spelled as those of webhooks: both share one lane."""
    parts = urlsplit(url)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    return f"{parts.hostname}:{port}"


def _row(
    event: Mapping[str, Any], target: str, host: str, webhook_id: str | None
) -> dict[str, Any]:
    return {
        "id": derived_id("dlv", event["created_at"], event["id"], target),
        "merchant_id": event["merchant_id"],
        "event_id": event["id"],
        "seq": event["seq"],
        "invoice_id": event["invoice_id"],
        "webhook_id": webhook_id,
        "target": target,
        "host": host,
        "state": "waiting",
        "tries": 0,
        "failed": 0,
        "due_at": event["created_at"],
        "created_at": event["created_at"],
    }
