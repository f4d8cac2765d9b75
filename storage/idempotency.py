"""Requests with an Idempotency-Key: who is at work on each, and what was answered.

A row is a reservation until its answer is stored, in the transaction of the work itself. One whose
holder vanished lapses; whoever takes it then is its holder, and the former one, should it still be
at work, can no longer store an answer, nor commit what it did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, delete, select, tuple_, update

from storage import schema
from storage.dialects import clock, inserting
from storage.types import Conn

table = schema.idempotency

LAPSE_SECONDS, KEEP_SECONDS = 60, 86_400


@dataclass(frozen=True, slots=True)
class Claim:
    """One request's claim to a key."""

    owner: str
    """Whose keys these are: two owners may use the same."""
    key: str
    fingerprint: bytes
    """Of what is asked for: two requests with the same are one, sent again."""
    holder: str
    """An id of this very request."""


async def reserve(conn: Conn, claim: Claim) -> Literal["ours", "running", "other"] | bytes:
    """Reserve the key, or say why not: another request is running, or something other was asked.

    The answer, as it was stored, where there is one already.
    """
    values = {"fingerprint": claim.fingerprint, "holder": claim.holder, "at": clock(conn)}
    new = inserting(conn, table).values(owner=claim.owner, key=claim.key, **values)
    unless = new.on_conflict_do_nothing(index_elements=["owner", "key"])
    if (await conn.execute(unless.returning(table.c.key))).first() is not None:
        return "ours"
    age = (clock(conn) - table.c.at).label("age")
    kept = select(table.c.fingerprint, table.c.answer, age).where(_named(claim))
    row = (await conn.execute(kept.with_for_update())).first()
    if row is None:  # released just now
        return "running"
    if row.age < KEEP_SECONDS:
        if row.fingerprint != claim.fingerprint:
            return "other"
        if row.answer is not None:
            return bytes(row.answer)
        if row.age < LAPSE_SECONDS:
            return "running"
    await conn.execute(update(table).where(_named(claim)).values(**values, answer=None))
    return "ours"


async def finish(conn: Conn, claim: Claim, answer: bytes) -> bool:
    """Store the answer; False where the reservation lapsed and is another request's: roll back."""
    done = await conn.execute(update(table).where(_held(claim)).values(answer=answer))
    return done.rowcount == 1


async def release(conn: Conn, claim: Claim) -> None:
    """Give a reservation up that came to no answer."""
    await conn.execute(delete(table).where(_held(claim)))


async def prune(conn: Conn, limit: int) -> int:
    """Forget up to `limit` keys that were kept long enough; returns how many."""
    name = tuple_(table.c.owner, table.c.key)
    old = select(table.c.owner, table.c.key).where(table.c.at < clock(conn) - KEEP_SECONDS)
    few = old.limit(limit).with_for_update(skip_locked=True)
    return (await conn.execute(delete(table).where(name.in_(few)))).rowcount


def _named(claim: Claim) -> ColumnElement[bool]:
    return (table.c.owner == claim.owner) & (table.c.key == claim.key)


def _held(claim: Claim) -> ColumnElement[bool]:
    return _named(claim) & (table.c.holder == claim.holder) & table.c.answer.is_(None)
