"""Blocks as a chain client gives them, and the whole reorg rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

from watcher.domain.money import Address, Method

Hash = NewType("Hash", str)  # lower-case hex without prefix


@dataclass(frozen=True, slots=True)
class BlockRef:
    """Which block: its place, its identity, its parent and its time."""

    number: int
    hash: Hash
    parent_hash: Hash
    timestamp: int
    """Epoch seconds, by the block's own header."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money that moved on the chain, whoever it is for."""

    tx_hash: Hash | None
    """None where no transaction moved it: a withdrawal belongs to its block."""
    position: str
    """Where in its transaction: `value`, `log/<i>`; or in its block: `withdrawal/<i>`."""
    method: Method
    sender: Address | None
    to: Address
    units: int


@dataclass(frozen=True, slots=True)
class Block:
    """One proven block with every transfer of the listed assets, in order."""

    ref: BlockRef
    transfers: tuple[Transfer, ...] = ()
    size: int = 0
    """Bytes that the node sent for it; only bounds how far ahead is fetched."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Put this block on top of ours."""

    block: Block


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Take our tip off: it left the chain."""

    tip: BlockRef


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do now: no new block, or the node lags."""


Step = Connect | Disconnect | Wait


def plan_step(tip: BlockRef, head: BlockRef, following: Block | None, ours: Hash | None) -> Step:
    """Decide the next move of our copy of the chain.

    `head` is the node's newest block, `following` its block at `tip.number + 1`, `ours` the hash
    that we hold at `head.number`; the last two are None when there is no such block. Only a
    *different* hash is evidence of a reorg. A missing block is not: the node may lag.
    """
    if following is not None:
        return Connect(following) if following.ref.parent_hash == tip.hash else Disconnect(tip)
    if ours is not None and ours != head.hash:
        return Disconnect(tip)
    return Wait()
