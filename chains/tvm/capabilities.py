"""What `doctor` finds out about a Tron endpoint; asks it even where the pool would not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chains.base import Capability, ClientOptions, EndpointRefused
from chains.endpoint import Endpoint
from chains.examining import Doubt, check, limits, told_age
from chains.tvm import calls
from chains.tvm.messages import Info
from watcher.domain.money import Asset

INTERNAL_BLOCKS = 5  # how many recent ones are searched for an internal call


async def examine(
    node: Endpoint,
    options: ClientOptions,
    require_chain: Callable[[Endpoint], Awaitable[str]],
    pace_seconds: int,
) -> list[Capability]:
    """Every check of one endpoint; after a wrong chain or no answer at all, only that.

    Args:
        require_chain: says which chain it follows; raises WrongChain.
    """
    chain = await check(node, "chain", require_chain(node))
    if not chain.ok:
        return [chain]
    found = [chain]
    found.append(await check(node, "head", _head(node, pace_seconds, options.ahead_seconds)))
    found.append(await check(node, "finality", _finality(node)))
    found.append(await check(node, "infos", _infos(node)))
    found.append(await check(node, "internal TRX", _internal(node)))
    for asset in options.assets:
        if asset.contract is not None:
            found.append(await check(node, f"token {asset.symbol}", _token(node, asset)))
    return found + limits(node)


async def _head(node: Endpoint, pace_seconds: int, ahead_seconds: int | None) -> str:
    return told_age(await calls.newest(node), pace_seconds, ahead_seconds)


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
