"""The consequences of every step, each within one transaction that the caller opens.

Blocks, deposits, invoices, events and the cursor change together or not at all, so a crash anywhere
leaves a valid state. Nothing here talks to a node.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import storage
from storage import Conn
from storage.deposits import Change
from storage.leases import Lease
from watcher.domain.blocks import Block, BlockRef
from watcher.domain.deposits import Deposit, find_deposits, is_deep, orphan, restate
from watcher.domain.money import Network
from watcher.policy import Policy
from watcher.settling import Told, settle_invoices


class ReorgTooDeep(Exception):
    """The chain left a block that we hold as final, or more blocks than we keep.

    Not a ChainError, so that no retry eats it: the network halts until a person has looked.
    """


async def connect_blocks(
    conn: Conn,
    policy: Policy,
    lease: Lease,
    blocks: Sequence[Block],
    finality: int | None,
    now: int,
) -> None:
    """Put `blocks`, oldest first, on top of our chain.

    Each is applied in full before the next: a batch stores and tells what single steps would. The
    merchants' counters are taken last and once, so that two transactions cannot cross their locks.
    What a batch can ask once is asked before its first block: an address is committed before anyone
    can pay to it, and deposits wait for this network's follower alone.

    Raises:
        LeaseLost: another process follows this network now.
    """
    await storage.leases.require(conn, lease)
    network = policy.networks[lease.network]
    refs = [block.ref for block in blocks]
    # One more than may be undone: the block below the deepest one becomes the tip.
    former = await storage.blocks.push(conn, lease.network, refs, keep=network.reorg_limit + 1)
    recipients = {transfer.to for block in blocks for transfer in block.transfers}
    watched = await storage.addresses.watched(conn, lease.network, network.spec.family, recipients)
    below = former or refs[0]
    times = [ref.timestamp for ref in (below, *refs)]
    # A tip that nothing waits for, and that crosses no deadline, has no consequences.
    awaited = bool(
        await storage.deposits.pending(conn, lease.network)
        or await storage.invoices.any_due(conn, min(times), max(times))
    )
    events: list[Told] = []
    for block in blocks:
        found = find_deposits(lease.network, block, watched, network.rules, now)
        changes = await storage.deposits.add(conn, found, now)  # a block that returns revives rows
        awaited = awaited or bool(changes)
        if awaited or block is blocks[-1]:  # nobody looks at the cursor in between
            await storage.cursors.move(conn, lease, block.ref, _reached(finality, block.ref))
        if awaited:
            move = (below, block.ref)
            events += await _apply_tip(conn, policy, lease.network, move, finality, changes, now)
        below = block.ref
    if former is None:  # no move from a tip below tells which deadlines these blocks passed
        past = await storage.invoices.past(conn, below.timestamp)
        events += await settle_invoices(conn, policy, set(past), None, [], now)
    await storage.events.append(conn, events, now)


async def disconnect_block(
    conn: Conn, policy: Policy, lease: Lease, finality: int | None, now: int
) -> BlockRef:
    """Take our tip off and return the new one; its deposits are orphaned, nothing is forgotten.

    Raises:
        ReorgTooDeep: the tip is final, or nothing that we keep lies below it.
        LeaseLost: another process follows this network now.
    """
    await storage.leases.require(conn, lease)
    cursor = await storage.cursors.get(conn, lease.network)
    popped, tip = await storage.blocks.pop(conn, lease.network)
    final = max(finality or 0, cursor.finalized or 0 if cursor else 0)
    if popped.number <= final:
        raise ReorgTooDeep(
            f"{lease.network}: block {popped.number} was final and is no longer in the chain"
        )
    if tip is None:
        limit = policy.networks[lease.network].reorg_limit
        raise ReorgTooDeep(
            f"{lease.network}: the chain was reorganised deeper than the {limit} blocks kept, "
            f"below block {popped.number}"
        )
    await storage.cursors.move(conn, lease, tip, None)
    held = await storage.deposits.in_block(conn, lease.network, popped.hash)
    lost = orphan(held)
    await storage.deposits.save(conn, lost)
    changes: list[Change] = list(zip(held, lost, strict=True))
    events = await _apply_tip(conn, policy, lease.network, (popped, tip), finality, changes, now)
    await storage.events.append(conn, events, now)
    return tip


async def corroborate_deposits(
    conn: Conn,
    policy: Policy,
    lease: Lease,
    given: Mapping[Deposit, Collection[str]],
    finality: int | None,
    now: int,
) -> None:
    """Store which endpoints repeated these deposits, and confirm what that allows.

    Counts who was asked now, for deposits that are deep enough now: a shallow rule of one invoice
    must not vouch for the deeper rule of another in the same block. Block by block, in the order
    given, so that several at once tell what each alone would.

    Raises:
        LeaseLost: another process follows this network now.
    """
    tip = await storage.blocks.tip(conn, lease.network)
    if tip is None:
        return
    await storage.cursors.move(conn, lease, tip, _reached(finality, tip))
    needed = policy.networks[lease.network].agreement
    agreed = {each.id for each, names in given.items() if len(set(names)) >= needed}
    events: list[Told] = []
    for block_hash in dict.fromkeys(each.block_hash for each in given):
        names = {
            name for each, who in given.items() if each.block_hash == block_hash for name in who
        }
        await storage.corroborations.add(conn, lease.network, block_hash, names, now)
        held = await storage.deposits.in_block(conn, lease.network, block_hash)
        deep = [each for each in held if each.id in agreed and is_deep(each, tip, finality)]
        await storage.deposits.save(conn, [replace(each, corroborated=True) for each in deep])
        move = (tip, tip)
        events += await _apply_tip(conn, policy, lease.network, move, finality, [], now)
    await storage.events.append(conn, events, now)


async def _apply_tip(
    conn: Conn,
    policy: Policy,
    network: Network,
    move: tuple[BlockRef, BlockRef],
    finality: int | None,
    changes: list[Change],
    now: int,
) -> list[Told]:
    """Bring deposits, then invoices, in line with the new tip; return what there is to tell."""
    old, tip = move
    held = await storage.deposits.pending(conn, network)
    pairs = zip(held, restate(held, tip, finality, now), strict=True)
    restated: list[Change] = [(before, after) for before, after in pairs if after != before]
    await storage.deposits.save(conn, [after for _, after in restated])
    crossing = (old.timestamp, tip.timestamp)
    return await settle_invoices(conn, policy, set(), crossing, [*changes, *restated], now)


def _reached(finality: int | None, tip: BlockRef) -> int | None:
    """Finality as far as we follow: what is final beyond our tip says nothing of our blocks."""
    return None if finality is None else min(finality, tip.number)
