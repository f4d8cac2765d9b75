"""The node: a chain that mines, is kept in a file, and answers HTTP on loopback."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path

import msgspec
from aiohttp import web

from chains.sandbox.control import ChainClock, Faults, Mine, Pay, Reorg, mine_every, serve
from chains.sandbox.tron import http
from chains.sandbox.tron.chain import KEPT_BLOCKS, Mined, TronChain
from chains.sandbox.tron.file import ChainFile
from chains.sandbox.tron.flavour import Flavour
from chains.sandbox.tron.methods import Methods
from chains.sandbox.tron.payments import pay

FINALITY_BLOCKS = 19
"""With 27 witnesses in turn a block is solid once 19 of them stand on or above it."""


class TronReorg(Reorg, frozen=True, forbid_unknown_fields=True):
    """Order another branch, in which what is mined again may end otherwise."""

    starved: tuple[str, ...] = ()
    """Those of `keep` whose code this time runs out of energy."""


class TronNode:
    """A node of Tron's kind. Its chain may be driven here, or under `sandbox_…` by HTTP.

    Args:
        file: where the chain is kept; None: nowhere.
    """

    def __init__(
        self,
        chain: TronChain,
        clock: ChainClock,
        *,
        file: ChainFile | None = None,
        finality_blocks: int = FINALITY_BLOCKS,
    ) -> None:
        self.chain, self.clock, self.faults = chain, clock, Faults()
        self.url = ""
        """Where it answers, once it does."""
        self._file = file
        self._methods = Methods(chain, self.faults, finality_blocks)
        self._orders: dict[str, Callable[[bytes], object]] = {
            "sandbox_pay": lambda body: pay(chain, msgspec.json.decode(body, type=Pay)),
            "sandbox_mine": lambda body: self._mine(msgspec.json.decode(body, type=Mine)),
            "sandbox_reorg": lambda body: self._reorg(msgspec.json.decode(body, type=TronReorg)),
        }

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
        starved = order.starved if isinstance(order, TronReorg) else ()
        dropped = self.chain.fork(
            order.depth, blocks=order.blocks, keep=order.keep, starved=starved
        )
        self.save()
        return dropped

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        path = request.path.strip("/")
        try:
            if path in self._orders and request.method == "POST":
                return http.sent(self._orders[path](await request.read() or b"{}"))
            method = self._methods.answer(path)
            if method is None or request.method not in ("GET", "POST"):
                return http.unknown(request)
            params = await http.params_of(request)
            if params.visible:
                raise ValueError("this node has hex addresses only: visible must be false")
            return http.sent(method(params))
        except (ValueError, msgspec.DecodeError) as error:
            return http.refused(error)

    def _mine(self, order: Mine) -> int:
        self.advance(order.advance_seconds)
        return self.mine(order.blocks).number

    def _reorg(self, order: TronReorg) -> dict[str, object]:
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
) -> AsyncIterator[TronNode]:
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
            chain = TronChain.begin(flavour, clock.after(0), kept_blocks)
        node = TronNode(chain, clock, file=file, finality_blocks=finality_blocks)
        node.save()
        async with serve(node.answer, node.faults, port) as node.url:
            yield node
