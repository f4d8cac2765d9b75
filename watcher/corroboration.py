"""Asking again, before a deposit is confirmed: is its block still the chain's, for whom?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import storage
from chains.base import ChainClient
from storage import Engine
from watcher.domain.blocks import BlockRef, Hash, Transfer
from watcher.domain.deposits import Deposit, is_deep
from watcher.policy import NetworkPolicy

ASKED_AT_ONCE = 8

Question = tuple[BlockRef, tuple[Transfer, ...]]
Given = Mapping[Deposit, frozenset[str]]
"""Deposit -> names of the endpoints that repeat it; maybe none."""


async def ask_again(
    engine: Engine, client: ChainClient, network: NetworkPolicy, tip: BlockRef, finality: int | None
) -> Given:
    """Ask the endpoints for the block of every deposit that is deep enough to be confirmed.

    Where a block's hash does not commit to its transfers, who is asked must repeat the deposit,
    too: each by itself, so that one that only some endpoints know of holds up no other. Oldest
    first. Nothing is stored here.
    """
    async with storage.read(engine) as conn:
        deep = [
            each
            for each in await storage.deposits.pending(conn, network.spec.name)
            if not each.corroborated and is_deep(each, tip, finality)
        ]
    questions = {_question(each, network): None for each in deep}  # in order, each once
    answers: dict[Question, frozenset[str]] = {}
    asked = list(questions)
    for start in range(0, len(asked), ASKED_AT_ONCE):
        few = asked[start : start + ASKED_AT_ONCE]
        names = await asyncio.gather(*(client.corroborate(*question) for question in few))
        answers |= dict(zip(few, names, strict=True))
    return {each: answers[_question(each, network)] for each in deep}


def _question(deposit: Deposit, network: NetworkPolicy) -> Question:
    """What to ask for a deposit: its block, and where that says nothing of it, itself."""
    # As much of a block as asking for it takes; its parent may no longer be known.
    ref = BlockRef(deposit.block_number, deposit.block_hash, Hash(""), deposit.block_time)
    return ref, (_transfer_of(deposit),) if network.repeat_transfers else ()


def _transfer_of(deposit: Deposit) -> Transfer:
    """The transfer that it was found as."""
    return Transfer(
        deposit.tx_hash,
        deposit.position,
        deposit.method,
        deposit.sender,
        deposit.address,
        deposit.units,
    )
