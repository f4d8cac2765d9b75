"""Wallets: where a merchant's addresses come from, an xpub or a pool. No private key, ever."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Literal

from sqlalchemy import case, func, select, update
from sqlalchemy import delete as sql_delete

from storage import schema
from storage.dialects import inserting
from storage.types import Conn
from watcher.domain.money import Family

table = schema.wallets


@dataclass(frozen=True, slots=True)
class Wallet:
    """A source of addresses of one family."""

    id: str
    merchant_id: str
    family: Family
    kind: Literal["xpub", "pool"]
    xpub: str | None
    next_index: int
    """The first index that was not given out; of no meaning in a pool."""
    created_at: int


class WalletExists(Exception):
    """This xpub, in some spelling, is a wallet already."""


class AddressTaken(Exception):
    """This address belongs to a wallet or an invoice already."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address} belongs to a wallet already")
        self.address = address


_COLUMNS = tuple(table.c[field.name] for field in fields(Wallet))
_NEWEST_FIRST = (table.c.created_at.desc(), table.c.id.desc())


async def add(conn: Conn, wallet: Wallet, fingerprint: str | None) -> None:
    """Store a wallet. `fingerprint`: the same for every spelling of an xpub; None for a pool.

    Raises:
        WalletExists: a wallet has this fingerprint.
    """
    new = inserting(conn, table).values(**asdict(wallet), fingerprint=fingerprint)
    unless = new.on_conflict_do_nothing(index_elements=["fingerprint"]).returning(table.c.id)
    if (await conn.execute(unless)).first() is None:
        raise WalletExists("this xpub is a wallet already")


async def get(conn: Conn, id: str) -> Wallet | None:
    """The wallet with this id."""
    row = (await conn.execute(select(*_COLUMNS).where(table.c.id == id))).first()
    return Wallet(*row) if row else None


async def listing(
    conn: Conn,
    merchant_id: str | None = None,
    *,
    after: str | None = None,
    limit: int | None = None,
) -> list[tuple[Wallet, int | None]]:
    """All wallets, or one merchant's, oldest first, each with how many addresses are left.

    None is left to count for an xpub: it does not run out. `after` is the last id of the page
    before.
    """
    addresses = schema.addresses
    free = (
        select(func.count())
        .where(addresses.c.wallet_id == table.c.id, addresses.c.invoice_id.is_(None))
        .scalar_subquery()
    )
    left = case((table.c.kind == "pool", free))
    query = select(*_COLUMNS, left).order_by(table.c.id).limit(limit)
    if after is not None:
        query = query.where(table.c.id > after)
    if merchant_id is not None:
        query = query.where(table.c.merchant_id == merchant_id)
    return [(Wallet(*row[:-1]), row[-1]) for row in await conn.execute(query)]


async def newest_first(conn: Conn, merchant_id: str, family: Family) -> list[Wallet]:
    """The merchant's wallets of a family, in the order in which they give addresses."""
    mine = (table.c.merchant_id == merchant_id) & (table.c.family == family)
    query = select(*_COLUMNS).where(mine).order_by(*_NEWEST_FIRST)
    return [Wallet(*row) for row in await conn.execute(query)]


async def lock(conn: Conn, merchant_id: str, family: Family) -> None:
    """Keep others from giving addresses of the merchant's wallets of a family until the end."""
    mine = (table.c.merchant_id == merchant_id) & (table.c.family == family)
    query = select(table.c.id).where(mine).order_by(table.c.id)
    await conn.execute(query.with_for_update(key_share=True))


async def delete(conn: Conn, id: str) -> bool:
    """Delete a wallet with its free addresses; False where one is an invoice's: roll back.

    Deleting what is free waits for whoever is giving one of them; only then none is left to give,
    and all that were given can be seen.
    """
    addresses = schema.addresses
    await conn.execute(select(table.c.id).where(table.c.id == id).with_for_update())
    await conn.execute(sql_delete(addresses).where(addresses.c.wallet_id == id, schema.FREE))
    given = select(addresses.c.address).where(addresses.c.wallet_id == id).limit(1)
    if (await conn.execute(given)).first() is not None:
        return False
    await conn.execute(sql_delete(table).where(table.c.id == id))
    return True


async def take_index(conn: Conn, wallet_id: str) -> int | None:
    """Take the next index: consecutive, each once, by the lock of the wallet's row.

    None where the wallet was deleted just now.
    """
    take = update(table).where(table.c.id == wallet_id).values(next_index=table.c.next_index + 1)
    following: int | None = await conn.scalar(take.returning(table.c.next_index))
    return None if following is None else following - 1


async def skip(conn: Conn, wallet_id: str, to: int) -> int:
    """Give out no index below `to` from now on; return the next one, which never goes back."""
    further = case((table.c.next_index < to, to), else_=table.c.next_index)
    change = update(table).where(table.c.id == wallet_id).values(next_index=further)
    following: int = (await conn.execute(change.returning(table.c.next_index))).scalar_one()
    return following
