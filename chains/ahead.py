"""Blocks dated ahead of this machine's clock: what is timed by blocks must not end before its time.

A true node takes no such block. That a client meets one means that its endpoint made it up, or that
this machine's clock is behind; which of the two only another endpoint's block or a person can tell.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import time as wall
from typing import Protocol, TypeVar, TypeVarTuple

from chains.base import ChainUnavailable
from watcher.domain.blocks import Block, BlockRef

AHEAD_SECONDS = 300  # clocks that are kept right differ by less; also what Kerberos bears with
AGAIN_SECONDS = 10.0


class Dated(Protocol):
    """What was read of a block, after its proof."""

    @property
    def block(self) -> Block: ...


R = TypeVar("R", bound=Dated)
Ts = TypeVarTuple("Ts")


def require_dated(ref: BlockRef, most: int | None) -> None:
    """Raise ChainUnavailable where a block is dated more than `most` seconds ahead; None: never.

    Not a lie that is proven, so nobody is quarantined: a clock that is put right ends it at once.
    """
    ahead = ref.timestamp - int(wall())
    if most is not None and ahead > most:
        raise ChainUnavailable(
            f"block {ref.number} is dated {ahead} s ahead of this machine's clock: "
            "either the endpoint lies, or the clock is behind",
            retry_after=AGAIN_SECONDS,
        )


def in_time(read: Callable[[*Ts], Awaitable[R]], most: int | None) -> Callable[[*Ts], Awaitable[R]]:
    """`read`, which then refuses what `require_dated` does."""

    async def required(*arguments: *Ts) -> R:
        reading = await read(*arguments)
        require_dated(reading.block.ref, most)
        return reading

    return required
