"""Who follows a network: a lease by the database's clock, with an epoch that fences writers.

A process that lost its lease without noticing holds an old epoch, and every write that moves the
cursor asks for the current one.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Update, and_, or_, select, update

from storage import schema
from storage.dialects import clock, inserting
from storage.types import Conn
from watcher.domain.money import Network

table = schema.networks


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to follow a network."""

    network: Network
    holder: str
    epoch: int
    """Grows each time the lease is acquired."""


class LeaseLost(Exception):
    """Another process follows this network now: stop, and write nothing."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(f"{lease.holder} does not follow {lease.network} any more")
        self.lease = lease


async def acquire(conn: Conn, network: Network, holder: str, seconds: int) -> Lease | None:
    """Take the lease if it is free, expired or already the holder's; None if somebody has it.

    It ends up to one second early, never late.
    """
    new = inserting(conn, table).values(network=network, epoch=0)
    await conn.execute(new.on_conflict_do_nothing())
    free = or_(
        table.c.holder.is_(None),
        table.c.holder == holder,
        table.c.lease_expires_at <= clock(conn),
    )
    take = (
        update(table)
        .where(table.c.network == network, free)
        .values(holder=holder, epoch=table.c.epoch + 1, lease_expires_at=clock(conn) + seconds)
        .returning(table.c.epoch)
    )
    epoch = (await conn.execute(take)).scalar_one_or_none()
    return None if epoch is None else Lease(network, holder, epoch)


async def renew(conn: Conn, lease: Lease, seconds: int) -> None:
    """Hold the lease for `seconds` from now; raises LeaseLost."""
    await fenced(conn, lease, update(table).values(lease_expires_at=clock(conn) + seconds))


async def require(conn: Conn, lease: Lease) -> None:
    """Make sure that the lease is still held, and stays so until the transaction ends.

    Raises:
        LeaseLost: another process follows this network now.
    """
    mine = select(table.c.epoch).where(_held(lease)).with_for_update(key_share=True)
    if (await conn.execute(mine)).first() is None:
        raise LeaseLost(lease)


async def release(conn: Conn, lease: Lease) -> None:
    """Give the lease back; nothing happens if it was lost."""
    free = update(table).values(holder=None, lease_expires_at=None)
    await conn.execute(free.where(_held(lease)))


async def holder(conn: Conn, network: Network) -> str | None:
    """Who follows the network now."""
    query = select(table.c.holder).where(
        table.c.network == network, table.c.lease_expires_at > clock(conn)
    )
    return (await conn.execute(query)).scalar_one_or_none()


async def fenced(conn: Conn, lease: Lease, change: Update) -> None:
    """Change the network's row if the lease still holds; raises LeaseLost."""
    if (await conn.execute(change.where(_held(lease)))).rowcount != 1:
        raise LeaseLost(lease)


def _held(lease: Lease) -> ColumnElement[bool]:
    return and_(
        table.c.network == lease.network,
        table.c.epoch == lease.epoch,
        table.c.holder == lease.holder,
    )
