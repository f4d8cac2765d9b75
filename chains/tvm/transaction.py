"""Where a Tron transaction is, and what cannot be seen of it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from chains.endpoint import Endpoint
from chains.transaction import Place
from chains.tvm.blocks import Reading
from watcher.domain.blocks import Hash

METHOD = "wallet/gettransactioninfobyid"


class Placed(msgspec.Struct, gc=False, rename="camel"):
    """In which block a transaction is; a node has nothing to say of one in no block."""

    block_number: Annotated[int, msgspec.Meta(ge=0)]


async def place(node: Endpoint, hash: Hash) -> Place:
    """Where the node says that it is."""
    placed = await node.call(METHOD, {"value": hash}, Placed)
    return None if placed is None else placed.block_number


def unseen(reading: Reading) -> str | None:
    """What contracts pay in it: that a node keeps such calls is known once it told of one."""
    if reading.has_internal:
        return None
    return "the TRX that contracts pay in it, if the node that gave its block keeps no such calls"
