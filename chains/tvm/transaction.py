"""Where a Tron transaction is, and what cannot be seen of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import chain
from typing import Annotated

import msgspec

from chains.base import Transaction
from chains.endpoint import Endpoint
from chains.transaction import Move, Place, moves_of
from chains.tvm.blocks import Reading
from watcher.domain.blocks import BlockRef, Hash, Transfer

METHOD = "wallet/gettransactioninfobyid"


class Placed(msgspec.Struct, gc=False, rename="camel"):
    """In which block a transaction is; a node has nothing to say of one in no block."""

    block_number: Annotated[int, msgspec.Meta(ge=0)]


async def place(node: Endpoint, hash: Hash) -> Place:
    """Where the node says that it is."""
    placed = await node.call(METHOD, {"value": hash}, Placed)
    return None if placed is None else placed.block_number


def in_block(hash: Hash, ref: BlockRef, told: Mapping[str, Reading]) -> Transaction | None:
    """The transaction as endpoints, by name, show it in this very block; None: none does.

    The block's hash commits to no log and no internal call: each may leave out or make up some.
    """
    same = {name: each for name, each in told.items() if each.block.ref == ref}
    shown = {name: moves_of(hash, each.block, each.refusals) for name, each in same.items()}
    moves: dict[Move, Move] = {}
    for move in chain.from_iterable(shown.values()):
        moves.setdefault(_anyones(move), move)
    if not moves:
        return None
    known = {name: frozenset(map(_anyones, each)) for name, each in shown.items()}
    differing = {}
    for key, move in moves.items():
        lacks = [name for name in known if key not in known[name]]
        if lacks:
            shows = [name for name in known if key in known[name]]
            differing[move] = f"shown by {', '.join(shows)}, not by {', '.join(lacks)}"
    return Transaction(hash, ref, tuple(moves.values()), _unseen(same.values()), differing)


def _anyones(move: Move) -> Move:
    """The same without its sender, which decides nothing."""
    return replace(move, sender=None) if isinstance(move, Transfer) else move


def _unseen(told: Collection[Reading]) -> str | None:
    """What may be in it that nobody shows: that a node keeps internal calls one of them tells."""
    lacking = []
    if len(told) == 1:
        lacking.append(
            "tokens and internal transfers are one endpoint's word, which no block commits to"
        )
    if not any(each.has_internal for each in told):
        lacking.append(
            "the TRX that contracts pay in it, if the node that gave its block keeps no such calls"
        )
    return "; ".join(lacking) or None
