"""Where our copy of a chain begins: on which chain, and at which block."""

from __future__ import annotations

import storage
from chains.base import ChainClient, ChainUnavailable
from storage import Engine
from storage.leases import Lease
from watcher.domain.blocks import Block
from watcher.policy import NetworkPolicy


class Halted(Exception):
    """This network cannot go on until a person has looked; the text says what to do."""


async def require_genesis(client: ChainClient, engine: Engine, lease: Lease) -> None:
    """Raise Halted unless the endpoints follow the chain that this database was made for."""
    genesis = await client.genesis()
    async with storage.write(engine) as conn:
        kept = await storage.cursors.bind(conn, lease, genesis)
    if kept != genesis:
        raise Halted(
            f"the endpoints follow a chain with genesis {genesis}, this database one with "
            f"{kept}; configure endpoints of that chain, or start with another database"
        )


async def first_block(client: ChainClient, rules: NetworkPolicy) -> Block:
    """Begin below the head, so that an early reorg has something to undo."""
    number = rules.start_block
    if number is None:
        head = await client.head()
        number = max(0, head.number - rules.reorg_limit)
    block = await client.block(number)
    if block is None:
        raise ChainUnavailable(f"no block {number} yet, where this network shall start")
    return block
