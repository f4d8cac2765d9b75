"""Where an EVM transaction is, and what cannot be seen of it."""

from __future__ import annotations

import msgspec

from chains.endpoint import Endpoint
from chains.evm.calls import Quantity, Word
from chains.transaction import Place
from watcher.domain.blocks import Hash

METHOD = "eth_getTransactionByHash"


class Placed(msgspec.Struct, gc=False, rename="camel"):
    """Which transaction an answer is about, and where it stands."""

    hash: Word
    block_number: Quantity | None = None
    """None while it waits for a block."""


async def place(node: Endpoint, hash: Hash) -> Place:
    """Where the node says that it is."""
    placed = await node.call(METHOD, [f"0x{hash}"], Placed)
    if placed is None:
        return None
    return "waiting" if placed.block_number is None else int(placed.block_number, 16)


def unseen(untraced: bool) -> str | None:
    """What contracts pay in it, where only traces tell and were not there."""
    return "the coin that contracts pay in it: no traces were read" if untraced else None
