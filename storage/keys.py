"""API keys: only a digest of each is stored, and its signing secret encrypted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Literal

from sqlalchemy import insert, select, update

from storage import schema
from storage.dialects import among
from storage.types import Conn

table = schema.keys


@dataclass(frozen=True, slots=True)
class Key:
    """What a key may do, and for whom."""

    id: str
    merchant_id: str
    kind: Literal["secret", "public"]
    hint: str
    """Enough of the key's text to recognise it, too little to use it."""
    scopes: frozenset[str]
    created_at: int
    revoked_at: int | None = None


_COLUMNS = tuple(table.c[field.name] for field in fields(Key))


async def add(conn: Conn, key: Key, digest: bytes, signing_secret: bytes) -> None:
    """Store a key by the SHA-256 of its text; `signing_secret` comes encrypted."""
    secrets = {"digest": digest, "signing_secret": signing_secret}
    await conn.execute(insert(table).values(**asdict(key), **secrets))


async def find(conn: Conn, digest: bytes) -> Key | None:
    """The key with this digest, unless it was revoked."""
    valid = select(*_COLUMNS).where(table.c.digest == digest, table.c.revoked_at.is_(None))
    row = (await conn.execute(valid)).first()
    return Key(*row) if row else None


async def get(conn: Conn, id: str) -> Key | None:
    """The key with this id, unless it was revoked."""
    valid = select(*_COLUMNS).where(table.c.id == id, table.c.revoked_at.is_(None))
    row = (await conn.execute(valid)).first()
    return Key(*row) if row else None


async def works(conn: Conn, id: str) -> bool:
    """Whether the key was not revoked."""
    valid = select(table.c.id).where(table.c.id == id, table.c.revoked_at.is_(None))
    return (await conn.execute(valid)).first() is not None


async def signing_secret(conn: Conn, id: str) -> bytes | None:
    """The key's signing secret, encrypted as it came; None once the key is revoked."""
    valid = (table.c.id == id) & table.c.revoked_at.is_(None)
    secret: bytes | None = await conn.scalar(select(table.c.signing_secret).where(valid))
    return secret


async def secrets_of_invoices(conn: Conn, invoice_ids: Iterable[str]) -> dict[str, bytes]:
    """Signing secrets, encrypted, of the keys that opened these invoices, by invoice.

    Revoked keys too: revoking ends what the key may ask, not what its owner is told.
    """
    invoices = schema.invoices
    asked = select(invoices.c.id, invoices.c.details).where(among(conn, invoices.c.id, invoice_ids))
    opened_by = {id: details.get("key_id") for id, details in await conn.execute(asked)}
    known = select(table.c.id, table.c.signing_secret).where(
        among(conn, table.c.id, {each for each in opened_by.values() if each})
    )
    secrets = {id: secret for id, secret in await conn.execute(known)}
    return {id: secrets[key] for id, key in opened_by.items() if key in secrets}


async def listing(
    conn: Conn,
    merchant_id: str | None = None,
    *,
    after: str | None = None,
    limit: int | None = None,
) -> list[Key]:
    """All keys, or one merchant's, oldest first; revoked ones too.

    `after` is the last id of the page before.
    """
    query = select(*_COLUMNS).order_by(table.c.id).limit(limit)
    if after is not None:
        query = query.where(table.c.id > after)
    if merchant_id is not None:
        query = query.where(table.c.merchant_id == merchant_id)
    return [Key(*row) for row in await conn.execute(query)]


async def revoke(conn: Conn, id: str, now: int) -> Key | None:
    """End a key's use, and return it; None if there is none that could still be used."""
    valid = (table.c.id == id) & table.c.revoked_at.is_(None)
    end = update(table).where(valid).values(revoked_at=now).returning(*_COLUMNS)
    row = (await conn.execute(end)).first()
    return Key(*row) if row else None
