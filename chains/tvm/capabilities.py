"""What `doctor` finds out about a Tron endpoint; asks it even where the pool would not."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from chains.base import Capability, ChainError, ChainUnavailable, EndpointRefused
from chains.endpoint import Endpoint
from chains.tvm import calls
from chains.tvm.messages import Info
from watcher.domain.money import Asset

STALE_BLOCKS = 25  # a head this many usual block times old: the node does not follow
INTERNAL_BLOCKS = 5  # how many recent ones are searched for an internal call


class Doubt(ChainUnavailable):
    """Worth a warning: no deposit is lost by it alone."""


async def examine(
    node: Endpoint,
    assets: Sequence[Asset],
    require_chain: Callable[[Endpoint], Awaitable[str]],
    pace_seconds: int,
) -> list[Capability]:
    """Every check of one endpoint; after a wrong chain or no answer at all, only that.

    Args:
        require_chain: says which chain it follows; raises WrongChain.
    """
    chain = await _check(node, "chain", require_chain(node))
    if not chain.ok:
        return [chain]
    found = [chain]
    found.append(await _check(node, "head", _head(node, pace_seconds)))
    found.append(await _check(node, "finality", _finality(node)))
    found.append(await _check(node, "infos", _infos(node)))
    found.append(await _check(node, "internal TRX", _internal(node)))
    for asset in assets:
        if asset.contract is not None:
            found.append(await _check(node, f"token {asset.symbol}", _token(node, asset)))
    return found


async def _check(node: Endpoint, check: str, work: Awaitable[str]) -> Capability:
    try:
        return Capability(node.name, check, True, await work)
    except ChainError as error:
        ok = None if isinstance(error, Doubt) else False
        return Capability(node.name, check, ok, node.redaction.scrub(str(error)))


async def _head(node: Endpoint, pace_seconds: int) -> str:
    head = await calls.newest(node)
    age = max(0, int(time.time()) - head.timestamp)
    if age > STALE_BLOCKS * pace_seconds:
        raise ChainUnavailable(f"block {head.number} is {age} s old: the node does not follow")
    return f"block {head.number}, {age} s old"


async def _finality(node: Endpoint) -> str:
    return f"solidified block {(await calls.newest(node, calls.SOLID)).number}"


async def _infos(node: Endpoint) -> str:
    solid = await calls.newest(node, calls.SOLID)
    return f"{len(await _infos_of(node, solid.number))} in block {solid.number}"


async def _internal(node: Endpoint) -> str:
    """Nodes keep internal calls only when told to (`vm.saveInternalTx`), from then on."""
    solid = await calls.newest(node, calls.SOLID)
    for number in range(solid.number, max(0, solid.number - INTERNAL_BLOCKS), -1):
        if any(info.internal_transactions for info in await _infos_of(node, number)):
            return f"served, seen in block {number}"
    raise Doubt(
        f"not proven to be served: no internal call in the {INTERNAL_BLOCKS} newest final blocks; "
        "TRX that a contract pays may go unseen"
    )


async def _infos_of(node: Endpoint, number: int) -> list[Info]:
    infos = await node.call(calls.INFOS, {"num": number}, list[Info])
    return infos or []


async def _token(node: Endpoint, asset: Asset) -> str:
    try:
        said = await calls.require_decimals(node, asset)
    except EndpointRefused as error:
        raise Doubt(f"cannot be checked here: {error}") from None
    if said is None:
        raise Doubt(f"nothing says decimals at {asset.contract}, as on private chains")
    return f"{said} decimals"
