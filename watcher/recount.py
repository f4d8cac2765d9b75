"""What a block of our chain holds and the books lack, and adding it, in one transaction.

The follower found every deposit that there was to find when it connected the block. One is missing
where since then an address was imported, a token was listed, or internal calls became visible; or
where an endpoint told otherwise what no hash commits to.
"""

from __future__ import annotations

import storage
from storage import Conn
from storage.cursors import Cursor
from storage.deposits import Change
from watcher.domain.blocks import Block, BlockRef
from watcher.domain.deposits import Deposit, DepositStatus, find_deposits, gives_way, orphan
from watcher.domain.money import Network
from watcher.domain.stand_ins import is_stand_in
from watcher.policy import Policy
from watcher.refused import NotOurs
from watcher.settling import settle_invoices


async def missing(
    conn: Conn, policy: Policy, network: Network, block: Block, now: int
) -> list[Change]:
    """The deposits in `block` that are not stored, or orphaned though it is in our chain.

    Or stored otherwise on an endpoint's word that none repeated. Each with what is stored, if any.

    Raises:
        NotOurs: the block is not known to be in our chain.
    """
    cursor = await storage.cursors.get(conn, network)
    require_ours(block.ref, await storage.blocks.at(conn, network, block.ref.number), cursor)
    changes = await _against_stored(conn, policy, network, block, now)
    return [(stored, each) for stored, each in changes if stored is None or _lacks(stored, each)]


async def add_missing(
    conn: Conn, policy: Policy, network: Network, block: Block, now: int
) -> list[Deposit]:
    """Store what `missing` tells of, with its consequences; return it.

    Holds the network's row until the transaction ends, as each step of its follower does. So our
    chain stands still meanwhile, and a reorg that comes after finds the deposits and orphans them.
    They are confirmed by the follower, by the usual rules. What was stored otherwise is taken back
    first, as if its block had left our chain and returned.

    Raises:
        NotOurs: the block is not known to be in our chain.
    """
    cursor = await storage.cursors.hold(conn, network)
    require_ours(block.ref, await storage.blocks.at(conn, network, block.ref.number), cursor)
    against = await _against_stored(conn, policy, network, block, now)
    held = [stored for stored, each in against if stored and gives_way(stored, each)]
    lost = orphan(held)
    await storage.deposits.save(conn, lost)
    taken: list[Change] = list(zip(held, lost, strict=True))
    events = await settle_invoices(conn, policy, set(), None, taken, now)
    changes = await storage.deposits.add(conn, [each for _, each in against], now)
    events += await settle_invoices(conn, policy, set(), None, changes, now)
    await storage.events.append(conn, events, now)
    return [each for _, each in changes if not (is_stand_in(each) or _is_gone(each))]


def require_ours(ref: BlockRef, kept: BlockRef | None, cursor: Cursor | None) -> None:
    """Raise NotOurs unless we hold this very block, or it is as deep as what is final.

    `kept` is what we hold at its height. What is final and no longer kept has no hash to compare:
    such a block rests on the endpoints.
    """
    tip = cursor.tip if cursor else None
    if cursor is None or tip is None or ref.number > tip.number:
        raise NotOurs(f"block {ref.number} is above our newest block")
    if kept is not None and kept.hash != ref.hash:
        raise NotOurs(f"block {ref.number} is {ref.hash}, in our chain {kept.hash}")
    if kept is None and (cursor.finalized is None or ref.number > cursor.finalized):
        raise NotOurs(f"block {ref.number} is no longer kept and not known to be final")


def _is_gone(deposit: Deposit) -> bool:
    return deposit.status is DepositStatus.ORPHANED


def _lacks(stored: Deposit, found: Deposit) -> bool:
    """Whether the books are to be told of what was found."""
    return _is_gone(stored) or gives_way(stored, found)


async def _against_stored(
    conn: Conn, policy: Policy, network: Network, block: Block, now: int
) -> list[Change]:
    """Each deposit that is found in `block`, with what is stored at its place."""
    rules = policy.networks[network]
    recipients = {transfer.to for transfer in block.transfers}
    watched = await storage.addresses.watched(conn, network, rules.spec.family, recipients)
    found: dict[str, Deposit] = {}
    for each in find_deposits(network, block, watched, rules.rules, now):
        found.setdefault(each.id, each)  # of two endpoints that differ about a place, the first
    stored = await storage.deposits.known(conn, list(found)) if found else {}
    return [(stored.get(id), each) for id, each in found.items()]
