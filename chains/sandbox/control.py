"""What the embedded nodes share: a server on loopback, faults on command, a clock, a pace.

Also what one may order of them, as the sandbox's commands send it. Nothing of a network's own.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

LOOPBACK = "127.0.0.1"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
"""What answers every request that comes."""

Lie = Literal["no transfers", "one transfer more", "other amount", "null entry", "half a block"]


@dataclass(slots=True)
class Faults:
    """What is wrong with a node; nothing at first. Set at any time, it holds from the next call."""

    lag: int = 0
    """The newest blocks that it pretends not to have."""
    final_lag: int = 0
    """So many blocks more than usual are not final yet; set later, finality steps back."""
    status: int | None = None
    """The HTTP status of every answer, which then has no contents."""
    retry_after: int | None = None
    """Seconds in the Retry-After of such an answer."""
    drop: bool = False
    """Connections end instead of an answer."""
    absent: bool = False
    """It gives a block, but says of the block's results that there are none."""
    wrong_chain: bool = False
    """It says that it follows another chain."""
    states: int | None = None
    """For how many of the newest blocks it still knows what accounts held; None: for all."""
    lie: Lie | None = None
    """How the contents of blocks that hold transactions differ from what their hashes commit to."""


class ChainClock:
    """The time that the next block bears: never before the newest block's."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall, self._ahead_seconds = wall, 0

    def advance(self, seconds: int) -> None:
        """Let chain time run ahead, by so much more."""
        if seconds < 0:
            raise ValueError("chain time does not go back")
        self._ahead_seconds += seconds

    def after(self, newest: int) -> int:
        """Epoch seconds for a block on top of one that bears `newest`."""
        behind = newest - self._now()
        if behind > 0:  # restarted since it was advanced, or the wall clock was set back
            self._ahead_seconds += behind
        return self._now()

    def _now(self) -> int:
        return int(self._wall()) + self._ahead_seconds


@asynccontextmanager
async def serve(answer: Answer, faults: Faults, port: int = 0) -> AsyncIterator[str]:
    """Answer every request on a loopback port, 0: any free one; yields the URL."""
    app = web.Application(middlewares=[_interfere(faults)], client_max_size=2**22)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _interfere(faults: Faults) -> Middleware:
    @web.middleware
    async def fail(request: web.Request, handler: Handler) -> web.StreamResponse:
        if faults.drop:
            assert request.transport is not None  # the request has just come through it
            request.transport.close()
            return web.Response()
        if faults.status is not None:
            asked = faults.retry_after
            headers = {} if asked is None else {"Retry-After": str(asked)}
            return web.Response(status=faults.status, headers=headers)
        return await handler(request)

    return fail


Units = Annotated[str, msgspec.Meta(pattern=r"^(0|[1-9][0-9]{0,77})$")]
"""Decimal text: JSON numbers lose digits in many hands."""
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
"""Of blocks: the loop stands still meanwhile."""

Comes = Literal["plain", "internal", "twice", "pulled", "forced", "bridge", "skimmed", "bounced"]
"""How money moves.

plain      the transaction itself, or a token's transfer
internal   a contract passes it on
twice      a contract passes the sum on two times
pulled     a token moves by the call of somebody who is neither payer nor payee
forced     a contract ends, and what it has goes to an address unasked (SELFDESTRUCT)
bridge     from another network (Polygon)
skimmed    a token keeps a hundredth, and logs the whole
bounced    a token goes back in the same transaction
"""
Fails = Literal["failed", "starved", "overtime", "reverted", "stranded", "denied", "lent"]
"""How money does not move though somebody tried.

failed     as plain, but the transaction fails
starved    as plain, but its code runs out of energy (Tron)
overtime   as starved, but out of time, and the logs that it had made are left (Tron)
reverted   as internal, but the inner call fails: the transaction succeeds
stranded   as bridge, but the message fails (Polygon)
denied     a token says no by what its transfer returns: the transaction succeeds
lent       a contract with the coin in hand borrows code, and keeps the coin (DELEGATECALL)
"""
Seems = Literal["fake", "forged", "nft", "indexed", "malformed", "dirty", "poison", "approval"]
"""How what is told only looks like money.

fake       a token of the same symbol at another address
forged     a log like a token's, from a contract that is none
nft        a token of the ERC-721 kind, whose logs begin like a payment's
indexed    a true token's log with the amount among its topics
malformed  a true token's log with more data than an amount
dirty      a true token's log with more in a topic than an address
poison     a true token's payment of nothing
approval   a true token's leave to take so much
"""
Way = Comes | Fails | Seems


class Pay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Order a payment for the next block."""

    to: str
    units: Units
    contract: str | None = None
    """The token; None: the native coin."""
    way: Way = "plain"
    payer: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] | None = None
    """Whose account, by number; None: a new one."""
    sender: str | None = None
    """An address that pays instead, from what came to it. The signature is somebody else's."""
    memo: str | None = None
    """What the transaction says beside (Tron)."""


class Hold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Order that an address holds so much from the next block on, and no transaction says why.

    So does what a producer earns, what a token's issuer takes away, or what grows by itself.
    """

    address: str
    units: Units
    contract: str | None = None
    """The token; None: the native coin."""


class Mine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Order blocks now, after moving chain time ahead."""

    blocks: Count = 1
    advance_seconds: Annotated[int, msgspec.Meta(ge=0, le=10**9)] = 0


class Reorg(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Order another branch in place of the newest blocks."""

    depth: Count
    blocks: Annotated[int, msgspec.Meta(ge=0, le=1_000)] | None = None
    """The length of the new branch; None: as long as the old one."""
    keep: tuple[str, ...] = ()
    """Hashes of transactions that are mined again, in the branch's first block."""
    starved: tuple[str, ...] = ()
    """Those of `keep` that fail this time: their code runs out of energy (Tron), or refuses."""
    force: bool = False
    """Final blocks, too, which no sound network would replace."""
