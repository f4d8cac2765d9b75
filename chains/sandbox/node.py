"""A node: a chain that mines, is kept in a file, and answers on loopback in its network's way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from chains.sandbox.chain import KEPT_BLOCKS, Chain, Flavour, Json, Mined
from chains.sandbox.control import Answer, ChainClock, Faults, Mine, Reorg, serve
from chains.sandbox.file import ChainFile

C = TypeVar("C", bound=Chain[Any, Any])
M = TypeVar("M", bound=Mined)

Take = tuple[type, Callable[[Any], object]]
"""What an order must be, and what carries it out."""


@dataclass(frozen=True)
class Kind(Generic[C, M]):
    """What tells one family's nodes from another's."""

    chain: type[C]
    orders: Callable[[C], Mapping[str, Take]]
    """What may be ordered of a chain, beside to mine and to fork."""
    door: Callable[[Node[C, M]], Answer]
    """What answers requests."""
    finality_blocks: int
    """How far below the head the newest final block is, unless it is opened otherwise."""


class Node(Generic[C, M]):
    """One network's node. Its chain may be driven here, or by orders at its door.

    Args:
        file: where the chain is kept; None: nowhere.
    """

    def __init__(
        self,
        chain: C,
        clock: ChainClock,
        finality_blocks: int,
        file: ChainFile | None,
        orders: Mapping[str, Take],
    ) -> None:
        self.chain, self.clock, self.faults = chain, clock, Faults()
        self.finality_blocks = finality_blocks
        self.url = ""
        """Where it answers, once it does."""
        self._file = file
        self._orders: dict[str, Take] = {
            "sandbox_mine": (Mine, self._mine),
            "sandbox_reorg": (Reorg, self._reorg),
            **orders,
        }

    @property
    def orders(self) -> frozenset[str]:
        """The names of what `take` takes."""
        return frozenset(self._orders)

    def take(self, name: str, order: object) -> object:
        """Carry out an order as it came; a ValueError says what is wrong with it."""
        kind, carry_out = self._orders[name]
        try:
            wanted: object = msgspec.convert(order, kind)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error
        return carry_out(wanted)

    def mine(self, blocks: int = 1) -> M:
        """Mine now; what waits goes into the first block. The newest block."""
        for _ in range(blocks):
            self.chain.mine(self.clock.after(self.chain.head.timestamp))
        self.save()
        head: M = self.chain.head
        return head

    async def mine_every(self, seconds: float = 1.0) -> None:
        """Mine at this pace until cancelled: a task of its own."""
        while True:
            await asyncio.sleep(seconds)
            self.mine()

    def advance(self, seconds: int) -> None:
        """Move chain time ahead, from the next block on."""
        self.clock.advance(seconds)

    def reorg(self, order: Reorg) -> list[M]:
        """Replace the newest blocks; return them, oldest first."""
        dropped: list[M] = self.chain.fork(
            order.depth, blocks=order.blocks, keep=order.keep, starved=order.starved
        )
        self.save()
        return dropped

    def _mine(self, order: Mine) -> int:
        self.advance(order.advance_seconds)
        return self.mine(order.blocks).number

    def _reorg(self, order: Reorg) -> Json:
        if order.depth > self.finality_blocks and not order.force:
            raise ValueError(
                f"all but the newest {self.finality_blocks} blocks are final; to replace final "
                "ones halts the network for good, and needs to be forced"
            )
        dropped = self.reorg(order)
        return {"head": self.chain.head.number, "dropped": [mined.hash for mined in dropped]}

    def save(self) -> None:
        """Write to the file what changed."""
        if self._file is not None:
            self._file.save(self.chain)


@asynccontextmanager
async def open_node(
    kind: Kind[C, M],
    flavour: Flavour,
    path: Path | None = None,
    *,
    port: int = 0,
    wall: Callable[[], float] = time.time,
    finality_blocks: int | None = None,
    kept_blocks: int = KEPT_BLOCKS,
) -> AsyncIterator[Node[C, M]]:
    """A node that answers; it mines when it is told to, or by a task of `mine_every`.

    Args:
        flavour: of the chain's own kind.
        path: the file that keeps the chain, and that it goes on from; None: memory only.
        port: 0: any free one.
        finality_blocks: None: as many as the kind has.

    Raises:
        ValueError: the file holds another chain.
        OSError: the port is in use.
    """
    clock = ChainClock(wall)
    with ExitStack() as stack:
        file = None
        if path is not None:
            file = stack.enter_context(closing(ChainFile(path, flavour.chain)))
        kept = None if file is None else file.load(kind.chain.revive)
        if kept is None:
            chain = kind.chain.begin(flavour, clock.after(0), kept_blocks)
        else:
            chain = kind.chain(flavour, *kept, kept_blocks=kept_blocks)
        final = kind.finality_blocks if finality_blocks is None else finality_blocks
        node: Node[C, M] = Node(chain, clock, final, file, kind.orders(chain))
        node.save()
        async with serve(kind.door(node), node.faults, port) as node.url:
            yield node
