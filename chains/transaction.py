"""Finds one transaction: asks every endpoint where it is, then reads that block with its proof."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from chains.asking import occasionally
from chains.base import ChainUnavailable, Refusal, Transaction
from chains.endpoint import Endpoint
from chains.endpoints import EndpointPool
from watcher.domain.blocks import Block, Hash, Transfer

Place = int | Literal["waiting"] | None
"""The number of its block; that it waits for one; or that the endpoint does not know it."""
Move = Transfer | Refusal


async def find(
    pool: EndpointPool,
    hash: Hash,
    place: Callable[[Endpoint], Awaitable[Place]],
    read: Callable[[int], Awaitable[Transaction | None]],
) -> Transaction | None:
    """The transaction as `read` finds it in a block; None: nobody knows it.

    Raises:
        ChainUnavailable: nobody answered, or it is not where they say that it is.
    """
    places = await pool.each(occasionally(place))
    if not places:
        raise ChainUnavailable("no endpoint said whether it knows the transaction")
    known = [each for each in dict.fromkeys(places.values()) if each is not None]
    numbers = [each for each in known if each != "waiting"]
    for number in numbers:
        found = await read(number)
        if found is not None:
            return found
    if numbers:  # a reorg between the two answers, or one that is not true
        named = ", ".join(map(str, numbers))
        raise ChainUnavailable(f"not in block {named}, where endpoints say that it is; try again")
    return Transaction(hash, None) if known else None


def in_block(
    hash: Hash, block: Block, refusals: Sequence[Refusal], unseen: str | None
) -> Transaction | None:
    """The transaction in a block where it was explained; None: it is not in there."""
    moves = moves_of(hash, block, refusals)
    # An explained transaction says something of its value, at the least.
    return Transaction(hash, block.ref, moves, unseen) if moves else None


def moves_of(hash: Hash, block: Block, refusals: Sequence[Refusal]) -> tuple[Move, ...]:
    """What a transaction moves in its block, or claims to."""
    paid = tuple(move for move in block.transfers if move.tx_hash == hash)
    return (*paid, *(refusal for refusal in refusals if refusal.tx_hash == hash))
