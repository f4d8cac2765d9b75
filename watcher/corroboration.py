"""Asking again, before a deposit is confirmed: is its block still the chain's, for whom?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import storage
from chains.base import ChainClient
from storage import Engine
from watcher.domain.blocks import BlockRef, Hash, Transfer
from watcher.domain.deposits import Deposit, is_deep
from watcher.policy import NetworkPolicy

ASKED_AT_ONCE = 8

Given = Mapping[BlockRef, frozenset[str]]
"""Block -> names of the endpoints that repeat it; maybe none."""


async def ask_again(
    engine: Engine, client: ChainClient, network: NetworkPolicy, tip: BlockRef, finality: int | None
) -> Given:
    """Ask the endpoints for every block with deposits that are deep enough to be confirmed.

    Where a block's hash does not commit to its transfers, who is asked must repeat them, too.
    Oldest first. Nothing is stored here.
    """
    async with storage.read(engine) as conn:
        deep: dict[int, list[Deposit]] = {}
        for each in await storage.deposits.pending(conn, network.spec.name):
            if not each.corroborated and is_deep(each, tip, finality):
                deep.setdefault(each.block_number, []).append(each)
        refs = [await storage.blocks.at(conn, network.spec.name, n) for n in sorted(deep)]
    # A deposit below the blocks that we keep is final; its block is known by what it stored.
    held = [ref or _ref_of(deep[number][0]) for number, ref in zip(sorted(deep), refs, strict=True)]
    given: dict[BlockRef, frozenset[str]] = {}
    for start in range(0, len(held), ASKED_AT_ONCE):
        few = held[start : start + ASKED_AT_ONCE]
        names = await asyncio.gather(
            *(
                client.corroborate(
                    ref, transfers_of(deep[ref.number]) if network.repeat_transfers else ()
                )
                for ref in few
            )
        )
        given |= dict(zip(few, names, strict=True))
    return given


def transfers_of(deposits: Sequence[Deposit]) -> list[Transfer]:
    """The transfers that these deposits were found as."""
    return [
        Transfer(each.tx_hash, each.position, each.method, each.sender, each.address, each.units)
        for each in deposits
    ]


def _ref_of(deposit: Deposit) -> BlockRef:
    """As much of a block as asking for it takes; its parent is no longer known."""
    return BlockRef(deposit.block_number, deposit.block_hash, Hash(""), deposit.block_time)
