"""What `doctor` asks of every endpoint alike; asks it even where the pool would not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from chains.ahead import require_dated
from chains.base import Capability, ChainError, ChainUnavailable, RateLimited
from chains.endpoint import Endpoint
from chains.health import LAGS_AT
from watcher.domain.blocks import BlockRef

STALE_BLOCKS = 25  # a head this many usual block times old: the node does not follow


class Doubt(ChainUnavailable):
    """Worth a warning: no deposit is lost by it alone."""


async def check(node: Endpoint, name: str, work: Awaitable[str]) -> Capability:
    """What `work` finds out, or why it could not."""
    started = time.monotonic()
    try:
        return Capability(node.name, name, True, await work)
    except ChainError as error:
        if isinstance(error, RateLimited):
            node.pace.refused(started)
        ok = None if isinstance(error, Doubt) else False
        return Capability(node.name, name, ok, node.redaction.scrub(str(error)))


def told_age(head: BlockRef, pace_seconds: int, ahead_seconds: int | None) -> str:
    """How old the newest block is; raises where it is far too old, or too far ahead."""
    require_dated(head, ahead_seconds)
    age = max(0, int(time.time()) - head.timestamp)
    if age > STALE_BLOCKS * pace_seconds:
        raise ChainUnavailable(f"block {head.number} is {age} s old: the node does not follow")
    return f"block {head.number}, {age} s old"


async def compare(
    nodes: Sequence[Endpoint], newest: Callable[[Endpoint], Awaitable[BlockRef]]
) -> list[Capability]:
    """How far each of several lags behind the best, all asked at the same moment.

    One that does not answer is absent: its other checks say why.
    """

    async def head(node: Endpoint) -> int | None:
        try:
            return (await newest(node)).number
        except ChainError:
            return None

    heads = await asyncio.gather(*map(head, nodes))
    told = {node.name: number for node, number in zip(nodes, heads, strict=True) if number}
    best = max(told.values(), default=0)
    return [_lag(name, number, best) for name, number in told.items() if len(told) > 1]


def _lag(name: str, number: int, best: int) -> Capability:
    if best - number < LAGS_AT:
        return Capability(name, "lag", True, f"block {number}, the best has {best}")
    detail = f"{best - number} blocks behind the best endpoint, and asked after it"
    return Capability(name, "lag", None, detail)


def limits(node: Endpoint) -> list[Capability]:
    """What holds the requests to an endpoint back, by its refusals just now or as configured."""
    pace = node.pace
    if pace.lowered is not None:
        detail = f"refused requests as too many: takes about {pace.lowered:.3g} a second now"
        return [Capability(node.name, "limits", None, detail)]
    if pace.limit is None:
        return []
    detail = f"{pace.limit} requests a second as configured, none refused"
    return [Capability(node.name, "limits", True, detail)]
