"""The node: a chain that mines, is kept in a file, and answers JSON-RPC on loopback."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path

import msgspec
from aiohttp import web

from chains.sandbox.control import ChainClock, Faults, Mine, Pay, Reorg, mine_every, serve
from chains.sandbox.evm.chain import KEPT_BLOCKS, EvmChain, Mined
from chains.sandbox.evm.file import ChainFile
from chains.sandbox.evm.flavour import Flavour
from chains.sandbox.evm.methods import Methods
from chains.sandbox.evm.orders import Json
from chains.sandbox.evm.payments import pay
from chains.sandbox.evm.rpc import Method, Service

FINALITY_BLOCKS = 8


class EvmNode:
    """One network's node. Its chain may be driven here, or by the `sandbox_` methods.

    Args:
        file: where the chain is kept; None: nowhere.
    """

    def __init__(
        self,
        chain: EvmChain,
        clock: ChainClock,
        *,
        file: ChainFile | None = None,
        finality_blocks: int = FINALITY_BLOCKS,
    ) -> None:
        self.chain, self.clock, self.faults = chain, clock, Faults()
        self.url = ""
        """Where it answers, once it does."""
        self._file = file
        methods = Methods(chain, self.faults, finality_blocks).named
        control: dict[str, Method] = {
            "sandbox_pay": self._pay,
            "sandbox_mine": self._mine,
            "sandbox_reorg": self._reorg,
        }
        self._service = Service({**methods, **control})

    def mine(self, blocks: int = 1) -> Mined:
        """Mine now; what waits goes into the first block."""
        for _ in range(blocks):
            self.chain.mine(self.clock.after(self.chain.head.timestamp))
        self.save()
        return self.chain.head

    async def mine_every(self, seconds: float = 1.0) -> None:
        """Mine at this pace until cancelled: a task of its own."""
        await mine_every(seconds, self.mine)

    def advance(self, seconds: int) -> None:
        """Move chain time ahead, from the next block on."""
        self.clock.advance(seconds)

    def reorg(self, order: Reorg) -> list[Mined]:
        """Replace the newest blocks; return them, oldest first."""
        dropped = self.chain.fork(order.depth, blocks=order.blocks, keep=order.keep)
        self.save()
        return dropped

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request or a batch."""
        answer = self._service.answer(await request.read())
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    def _pay(self, order: Pay) -> str | None:
        return pay(self.chain, order)

    def _mine(self, order: Mine) -> str:
        self.advance(order.advance_seconds)
        return hex(self.mine(order.blocks).number)

    def _reorg(self, order: Reorg) -> Json:
        dropped = self.reorg(order)
        return {"head": self.chain.head.hash, "dropped": [mined.hash for mined in dropped]}

    def save(self) -> None:
        """Write to the file what changed."""
        if self._file is not None:
            self._file.save(self.chain)


@asynccontextmanager
async def open_node(
    flavour: Flavour,
    path: Path | None = None,
    *,
    port: int = 0,
    wall: Callable[[], float] = time.time,
    finality_blocks: int = FINALITY_BLOCKS,
    kept_blocks: int = KEPT_BLOCKS,
) -> AsyncIterator[EvmNode]:
    """A node that answers; it mines when it is told to, or by a task of `mine_every`.

    Args:
        path: the file that keeps the chain, and that it goes on from; None: memory only.
        port: 0: any free one.
    """
    clock = ChainClock(wall)
    with ExitStack() as stack:
        file = None if path is None else stack.enter_context(closing(ChainFile(path)))
        chain = None if file is None else file.load(flavour, kept_blocks=kept_blocks)
        if chain is None:
            chain = EvmChain.begin(flavour, clock.after(0), kept_blocks)
        node = EvmNode(chain, clock, file=file, finality_blocks=finality_blocks)
        node.save()
        async with serve(node.answer, node.faults, port) as node.url:
            yield node
