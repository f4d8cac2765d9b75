"""What is asked of an endpoint, when its answer is judged in another way than usual."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from chains.base import ChainUnavailable, EndpointRefused
from chains.endpoint import Endpoint
from chains.health import Missing
from watcher.domain.blocks import BlockRef, Hash

T = TypeVar("T")

ALONE_SECONDS = 10.0


def occasionally(work: Callable[[Endpoint], Awaitable[T]]) -> Callable[[Endpoint], Awaitable[T]]:
    """`work` for a question that following does not need: who refuses it serves the rest."""

    async def softly(node: Endpoint) -> T:
        try:
            return await work(node)
        except EndpointRefused as error:
            raise Missing(str(error)) from error

    return softly


def require_same(ref: BlockRef, theirs: Hash | None) -> None:
    """Require that `theirs`, which a node has at the height of `ref`, is that block.

    Raises:
        Missing: it has none there.
        ChainUnavailable: it is on a fork.
    """
    if theirs is None:
        raise Missing(f"has no block {ref.number} yet")
    if theirs != ref.hash:
        alone = f"its block {ref.number} is not the one that is final"
        raise ChainUnavailable(alone, retry_after=ALONE_SECONDS)
