"""What a block of our chain holds and the books lack, and adding it, in one transaction.

The follower found every deposit that there was to find when it connected the block. One is missing
where since then an address was imported, a token was listed, or internal calls became visible; or
where an endpoint told otherwise what no hash commits to.

What no hash commits to is told by endpoints, and they may differ. What enough of them show is sure:
it takes the place of what nobody repeated, of what an operator accepted for it, and of what was
orphaned. What is not sure is added only where nothing of all that is, and waits for agreement.
Where enough of them show something else, or nothing, it is denied: it is not added, and what waits
for agreement in a final block is taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import storage
from chains.base import INTERNAL
from storage import Conn
from storage.cursors import Cursor
from storage.deposits import Change
from watcher.domain.blocks import BlockRef
from watcher.domain.copies import Reading, claim_of, transfer_of
from watcher.domain.deposits import (
    Deposit,
    DepositStatus,
    find_deposits,
    gives_way,
    is_rumour,
    orphan,
)
from watcher.domain.money import Network
from watcher.domain.stand_ins import is_stand_in
from watcher.policy import NetworkPolicy, Policy
from watcher.refused import NotOurs
from watcher.settling import settle_invoices


@dataclass(frozen=True, slots=True)
class Differences:
    """What the books and a block of our chain differ in."""

    lost: Sequence[Deposit]
    """Stored, and to be taken back."""
    found: Sequence[Deposit]
    """To be stored, or revived."""
    sure: frozenset[str]
    """Ids of those found that nobody need be asked for any more."""
    doubtful: Sequence[Deposit]
    """Left out unless more endpoints repeat them."""

    def __bool__(self) -> bool:
        return bool(self.lost or self.found)


@dataclass(frozen=True, slots=True)
class Mended:
    """What became of differences."""

    added: Sequence[Deposit]
    orphaned: Sequence[Deposit]
    """What was taken back, and nothing has its place."""


async def differences(
    conn: Conn, policy: Policy, network: Network, reading: Reading, now: int
) -> Differences:
    """The deposits in `reading` that are not stored, or orphaned though it is in our chain.

    Or stored otherwise on an endpoint's word that none repeated; and what enough deny.

    Raises:
        NotOurs: the block is not known to be in our chain.
    """
    cursor = await storage.cursors.get(conn, network)
    return await _compare(conn, policy.networks[network], reading, cursor, now)


async def add_missing(
    conn: Conn, policy: Policy, network: Network, reading: Reading, now: int
) -> Mended:
    """Mend what `differences` tells of, with all consequences.

    Holds the network's row until the transaction ends, as each step of its follower does. So our
    chain stands still meanwhile, and a reorg that comes after finds the deposits and orphans them.
    They are confirmed by the follower, by the usual rules. What was stored otherwise is taken back
    first, as if its block had left our chain and returned.

    Raises:
        NotOurs: the block is not known to be in our chain.
    """
    cursor = await storage.cursors.hold(conn, network)
    differ = await _compare(conn, policy.networks[network], reading, cursor, now)
    lost = orphan(differ.lost)
    await storage.deposits.save(conn, lost)
    taken: list[Change] = list(zip(differ.lost, lost, strict=True))
    events = await settle_invoices(conn, policy, set(), None, taken, now)
    changes = await storage.deposits.add(conn, differ.found, now, sure=differ.sure)
    events += await settle_invoices(conn, policy, set(), None, changes, now)
    await storage.events.append(conn, events, now)
    added = [each for _, each in changes if not (is_stand_in(each) or _is_gone(each))]
    replaced = {each.id for each in added}
    return Mended(added, [each for each in lost if each.id not in replaced])


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


async def _compare(
    conn: Conn, rules: NetworkPolicy, reading: Reading, cursor: Cursor | None, now: int
) -> Differences:
    network, ref = rules.spec.name, reading.ref
    require_ours(ref, await storage.blocks.at(conn, network, ref.number), cursor)
    final = cursor is not None and cursor.finalized is not None and ref.number <= cursor.finalized
    denied = await _denied(conn, rules, reading) if final else []
    found = await _found(conn, rules, reading, now)
    stored = await storage.deposits.known(conn, [each.id for each in found]) if found else {}
    new = [each for each in found if _is_news(stored.get(each.id), each)]
    sure = frozenset(each.id for each in new if _is_sure(rules, reading, each))
    stand_ins = await storage.deposits.stand_ins(conn, new) if new else []
    doubtful = [
        each
        for each in new
        if each.id not in sure
        and (
            each.id in stored
            or _is_denied(rules, reading, each)
            or any(stand_in.may_be(each) for stand_in in stand_ins)
        )
    ]
    left_out = {each.id for each in doubtful}
    lost = {each.id: each for each in denied}
    for each in new:
        if each.id in stored and not (each.id in left_out or _is_gone(stored[each.id])):
            lost[each.id] = stored[each.id]
    return Differences(
        list(lost.values()), [each for each in new if each.id not in left_out], sure, doubtful
    )


async def _found(conn: Conn, rules: NetworkPolicy, reading: Reading, now: int) -> list[Deposit]:
    """The deposits in a block; of those at one place what most endpoints show."""
    recipients = {transfer.to for transfer in reading.transfers}
    network, family = rules.spec.name, rules.spec.family
    watched = await storage.addresses.watched(conn, network, family, recipients)
    found: dict[str, Deposit] = {}
    for each in find_deposits(network, reading, watched, rules.rules, now):
        found.setdefault(each.id, each)
    return list(found.values())


async def _denied(conn: Conn, rules: NetworkPolicy, reading: Reading) -> list[Deposit]:
    """What waits for agreement, and enough of the copies deny."""
    if len(reading.copies) < rules.agreement or rules.agreement < 2:
        return []
    held = await storage.deposits.in_block(conn, rules.spec.name, reading.ref.hash)
    return [
        each
        for each in held
        if is_rumour(each)
        and each.method in rules.assets  # what is no longer listed no copy shows
        and _is_denied(rules, reading, each)
    ]


def _is_sure(rules: NetworkPolicy, reading: Reading, deposit: Deposit) -> bool:
    """Whether enough endpoints show it, or the block's hash commits to it."""
    claim = claim_of(transfer_of(deposit))
    enough = reading.votes(claim)[claim] >= rules.agreement or claim in reading.repeated
    return enough or not rules.must_repeat(deposit.position)


def _is_denied(rules: NetworkPolicy, reading: Reading, deposit: Deposit) -> bool:
    """Whether enough endpoints alike show something else there, or nothing; and too few show it.

    Where one decides, it may only withhold; and who tells of no inner call may keep none.
    """
    claim = claim_of(transfer_of(deposit))
    others = reading.votes(claim)
    del others[claim]
    if deposit.position.startswith(INTERNAL):
        del others[None]
    enough = rules.agreement > 1 and max(others.values(), default=0) >= rules.agreement
    return enough and not _is_sure(rules, reading, deposit)


def _is_gone(deposit: Deposit) -> bool:
    return deposit.status is DepositStatus.ORPHANED


def _is_news(stored: Deposit | None, found: Deposit) -> bool:
    """Whether the books are to be told of what was found."""
    return stored is None or _is_gone(stored) or gives_way(stored, found)
